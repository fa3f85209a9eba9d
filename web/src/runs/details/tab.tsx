// The tab Details: configuration, paths, and where time and tokens went.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Suspense, useMemo } from "react";
import { useNow } from "@/lib/clock";
import { lazyPart } from "@/lib/part";
import { Failed, Skeleton } from "@/ui/panes";
import type { TabProps } from "../run-page";
import { AgentFacts, RunFacts } from "./facts";
import { createdQuery, factsQuery } from "./queries";
import { turnsOf } from "./turns";

const TurnCharts = lazyPart(() => import("./charts"));

/** Time between two renders of an unfinished turn, in milliseconds. */
const REDRAW_MS = 5000;

function Turns({ run }: TabProps) {
  const client = useQueryClient();
  const facts = useQuery(factsQuery(client, run.id));
  const now = useNow(REDRAW_MS);
  const works = run.status === "running";
  const moment = works ? now : Date.parse(run.updated_at);
  const turns = useMemo(() => turnsOf(facts.data ?? [], moment), [facts.data, moment]);
  if (facts.isPending) return <Skeleton lines={5} />;
  if (facts.isError) return <Failed error={facts.error} retry={() => void facts.refetch()} />;
  if (turns.length === 0) return <p className="text-muted">No turn has started yet.</p>;
  return (
    <Suspense fallback={<Skeleton lines={8} />}>
      <TurnCharts turns={turns} />
    </Suspense>
  );
}

export default function DetailsTab({ run }: TabProps) {
  const created = useQuery(createdQuery(run.id));
  return (
    <div className="flex h-full flex-col gap-6 overflow-y-auto px-4 py-3">
      <section aria-label="Turns">
        <h2 className="mb-2 text-xs font-semibold tracking-wide text-muted uppercase">Turns</h2>
        <Turns run={run} />
      </section>
      <div className="grid items-start gap-x-8 gap-y-5 border-t pt-4 xl:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-5">
          <RunFacts run={run} />
        </div>
        {created.isPending ? (
          <Skeleton />
        ) : created.isError ? (
          <Failed error={created.error} retry={() => void created.refetch()} />
        ) : (
          <AgentFacts created={created.data} />
        )}
      </div>
    </div>
  );
}
