import { useQuery } from "@tanstack/react-query";
import { TriangleAlert } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Run, Schemas } from "@/api/client";
import { checkpointsQuery } from "@/api/queries";
import { exact } from "@/lib/format";
import { Age } from "@/ui/time";
import { ConfirmLoss } from "../confirm-loss";
import type { ShipCalls } from "./calls";
import { LeftOutList } from "./left-out-list";
import { checkpointNames, type Can } from "./ship";

type Checkpoint = Schemas["CheckpointView"];

const notWhole = (at: Checkpoint) =>
  at.left_out.length === 0 ? "" : `, without ${at.left_out.length} that could not be read`;

/** Marks an incomplete checkpoint. */
function NotWhole({ at }: { at: Checkpoint }) {
  if (at.left_out.length === 0) return null;
  return <TriangleAlert size={12} className="text-warn" role="img" aria-label="incomplete" />;
}

/** The checkpoints in order; the user can restore one. */
export function Timeline({ run, can, calls }: { run: Run; can: Can; calls: ShipCalls }) {
  const kept = useQuery(checkpointsQuery(run.id));
  const [chosen, setChosen] = useState<Checkpoint | null>(null);
  const [asking, setAsking] = useState(false);
  const end = useRef<HTMLLIElement>(null);
  const names = useMemo(() => checkpointNames(kept.data ?? []), [kept.data]);
  const size = kept.data?.length ?? 0;
  useEffect(() => {
    const row = end.current?.parentElement;
    if (row) row.scrollLeft = row.scrollWidth;
  }, [size]);
  if (kept.isError) {
    return (
      <p role="alert" className="px-3 py-1 text-bad">
        Could not read the checkpoints: {kept.error.message}
      </p>
    );
  }
  if (size === 0) return null;
  const restorable = !can.worktreeGone && !can.pauseFirst;
  const name = (at: Checkpoint) => names.get(at.number) ?? at.reason;
  return (
    <div className="flex items-center gap-2 border-b px-3 py-1 text-xs">
      <h3 className="shrink-0 text-muted" id="checkpoints">
        Checkpoints
      </h3>
      <ol
        aria-labelledby="checkpoints"
        className="flex min-w-0 flex-1 items-center overflow-x-auto"
      >
        {kept.data?.map((at, index) => (
          <li key={at.number} ref={end} className="flex shrink-0 items-center">
            {index > 0 && <span aria-hidden className="h-px w-3 bg-line-strong" />}
            {restorable ? (
              <button
                type="button"
                className="flex items-center gap-1 rounded px-1.5 py-1 hover:bg-hover max-md:py-2"
                title={`Checkpoint ${at.number}, ${exact(at.created_at)}${notWhole(at)}: restore…`}
                onClick={() => {
                  setChosen(at);
                  setAsking(true);
                }}
              >
                <span aria-hidden className="size-2 rounded-full border border-accent" />
                <span className="sr-only">Restore</span> {name(at)} <NotWhole at={at} />
                <Age time={at.created_at} className="text-muted" />
              </button>
            ) : (
              <span
                className="flex items-center gap-1 px-1.5 py-1"
                title={`Checkpoint ${at.number}, ${exact(at.created_at)}${notWhole(at)}`}
              >
                <span aria-hidden className="size-2 rounded-full border border-line-strong" />
                {name(at)} <NotWhole at={at} /> <Age time={at.created_at} className="text-muted" />
              </span>
            )}
          </li>
        ))}
      </ol>
      {can.pauseFirst && <span className="shrink-0 text-muted">Pause the run to restore</span>}
      {chosen && (
        <ConfirmLoss
          open={asking}
          onOpenChange={setAsking}
          title={`Restore “${name(chosen)}”?`}
          action="Restore"
          failure="Could not restore the checkpoint"
          act={(force) => calls.restore(chosen.number, name(chosen), force)}
        >
          This replaces the files of {run.repos.map((repo) => repo.name).join(", ")} with those of{" "}
          {exact(chosen.created_at)}. Branches and commits do not change. The current files are kept
          as a checkpoint first, so you can undo this.
          <LeftOutList
            all={chosen.left_out}
            severalRepos={run.repos.length > 1}
            title="This checkpoint does not contain what could not be read:"
          />
        </ConfirmLoss>
      )}
    </div>
  );
}
