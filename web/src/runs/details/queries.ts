// Events that the details of a run are folded from.
import { queryOptions, type QueryClient } from "@tanstack/react-query";
import { api, data, type Payload, type RunEvent } from "@/api/client";
import { keys } from "@/api/keys";
import { FACT_TYPES, factOf, type Fact } from "./turns";

/** Events per call. */
const PAGE = 500;

async function eventsOf(id: string, type: string, after: number): Promise<Fact[]> {
  const facts: Fact[] = [];
  for (;;) {
    const query = { type, limit: PAGE, after_sequence: facts.at(-1)?.sequence ?? after };
    const page = (await data(
      api.GET("/api/runs/{id}/events", { params: { path: { id }, query } }),
    )) as RunEvent[];
    facts.push(...page.map(factOf));
    if (page.length < PAGE) return facts;
  }
}

/** Facts in order; a refetch reads only new events. */
export const factsQuery = (client: QueryClient, id: string) =>
  queryOptions({
    queryKey: keys.facts(id),
    queryFn: async () => {
      const known = client.getQueryData<Fact[]>(keys.facts(id)) ?? [];
      const after = (type: string) => known.findLast((fact) => fact.type === type)?.sequence ?? 0;
      const fresh = await Promise.all(FACT_TYPES.map((type) => eventsOf(id, type, after(type))));
      return [...known, ...fresh.flat()].sort((a, b) => a.sequence - b.sequence);
    },
  });

export type Created = Payload<"run.created">;

export const createdQuery = (id: string) =>
  queryOptions({
    queryKey: keys.created(id),
    queryFn: async () => {
      const query = { type: "run.created", limit: 1 };
      const events = (await data(
        api.GET("/api/runs/{id}/events", { params: { path: { id }, query } }),
      )) as RunEvent[];
      const created = events[0];
      if (created?.event_type !== "run.created") {
        throw new Error("The run has no run.created event.");
      }
      return created.payload;
    },
  });
