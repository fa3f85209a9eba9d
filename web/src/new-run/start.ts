// Starts runs.
import type { QueryClient } from "@tanstack/react-query";
import { api, data, type Run, type Schemas } from "@/api/client";
import { placeRun } from "@/api/sync";

/** Starts one run; a repeated key starts no second one. Throws `CallError`. */
export async function startRun(
  client: QueryClient,
  body: Schemas["NewRunFields"],
  key: string,
): Promise<Run> {
  const run = await data<Run>(api.POST("/api/runs", { body, headers: { "Idempotency-Key": key } }));
  placeRun(client, run);
  return run;
}
