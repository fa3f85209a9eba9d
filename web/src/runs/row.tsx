import { useQuery } from "@tanstack/react-query";
import type { Run } from "@/api/client";
import { diffStatsQuery, runQuery } from "@/api/queries";
import { costOf, count, firstLine } from "@/lib/format";
import { stateOf, StateSign, stateWord } from "@/ui/state";
import { Age } from "@/ui/time";
import { hasChanges } from "./actions";
import { reasonOf } from "./reason";

/** Lines added and removed since the run started; nothing while there are none. */
export function DiffCount({ runId }: { runId: string }) {
  const run = useQuery({ ...runQuery(runId), enabled: false }).data; // shown if cached, never fetched here
  const enabled = !run || hasChanges(run);
  const stats = useQuery({ ...diffStatsQuery(runId), retry: false, enabled }).data;
  if (!stats || stats.files_changed === 0) return null;
  return (
    <span
      className="font-mono text-xs whitespace-nowrap"
      title={`${stats.files_changed} files changed`}
    >
      <span className="text-good">+{count(stats.insertions)}</span>{" "}
      <span className="text-bad">−{count(stats.deletions)}</span>
    </span>
  );
}

/** One run in the list. */
export function RunRow({ run, project }: { run: Run; project: string }) {
  const state = stateOf(run);
  const tokens = run.tokens_in + run.tokens_out;
  const costly = run.cost_usd > 0 || (tokens > 0 && run.cost.usd === null);
  const cost = costly ? costOf(run.cost, "cost unknown") : "";
  return (
    <>
      <div className="flex items-baseline gap-1.5">
        <StateSign state={state} />
        <span className="sr-only">{stateWord(state)}: </span>
        <span className="min-w-0 flex-1 truncate font-medium">{firstLine(run.task)}</span>
        <Age
          time={run.attention?.since ?? run.activity.since}
          className="shrink-0 text-xs text-muted"
        />
      </div>
      <div className="truncate pl-5.5 text-xs text-muted">
        {stateWord(state)} · {reasonOf(run)}
      </div>
      <div className="flex items-baseline gap-2 pl-5.5 text-xs text-muted">
        <span className="min-w-0 flex-1 truncate">
          {project} · {run.cli_name} · {run.run_branch}
        </span>
        <DiffCount runId={run.id} />
        {tokens > 0 && <span title="tokens in and out">{count(tokens)} tok</span>}
        {cost && <span>{cost}</span>}
      </div>
    </>
  );
}
