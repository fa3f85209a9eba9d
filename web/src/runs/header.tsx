import { Link } from "@tanstack/react-router";
import {
  Bell,
  BellOff,
  ChevronLeft,
  CircleStop,
  MoreHorizontal,
  Pause,
  Play,
  RotateCcw,
  Trash2,
} from "lucide-react";
import { useState } from "react";
import type { Run } from "@/api/client";
import { useKeys } from "@/app/keys";
import { costOf, count, firstLine } from "@/lib/format";
import { Button } from "@/ui/button";
import { Menu } from "@/ui/menu";
import { StateBadge, stateOf } from "@/ui/state";
import { Age } from "@/ui/time";
import { Tip } from "@/ui/tip";
import { canDelete, canRetry, canStop, runAction, useRunCalls } from "./actions";
import { DeleteDialog } from "./delete-dialog";
import { reasonOf } from "./reason";

/** What the run is doing, on what evidence, since when, and the possible actions. */
export function RunHeader({ run }: { run: Run }) {
  const calls = useRunCalls();
  const [deleting, setDeleting] = useState(false);
  const pause = () => void runAction("Could not pause the run", () => calls.pause(run.id));
  const cancel = () => void runAction("Could not cancel the run", () => calls.cancel(run.id));
  const letGoOn = () => void runAction("Could not resume the CLI", () => calls.letGoOn(run.id));
  const retry = () => void runAction("Could not retry the run", () => calls.retry(run.id));
  const notify = () =>
    void runAction("Could not save the setting", () => calls.notify(run.id, !run.notify));
  useKeys({ p: () => canStop(run) && pause() });
  const bell = run.notify ? "Stop notifying me" : "Notify me when it goes idle or ends";
  return (
    <header className="border-b px-3 pt-2 pb-1.5">
      <div className="flex items-center gap-2">
        <Link to="/runs" className="-ml-1 p-2.25 md:hidden" aria-label="Back to the list">
          <ChevronLeft size={18} />
        </Link>
        <div className="flex min-w-0 flex-1 items-baseline gap-2">
          <StateBadge state={stateOf(run)} />
          <span
            className="truncate text-muted max-sm:hidden"
            title={reasonOf(run)}
            data-testid="evidence"
          >
            {reasonOf(run)}
          </span>
          <Age
            time={run.attention?.since ?? run.activity.since}
            className="shrink-0 text-xs text-muted"
          />
        </div>
        {run.process.stopped && (
          <Tip text="Resume the suspended CLI">
            <Button
              icon={<Play size={14} />}
              onClick={letGoOn}
              aria-label="Resume"
              className="max-sm:w-9 max-sm:!px-0"
            >
              <span className="max-sm:hidden">Resume</span>
            </Button>
          </Tip>
        )}
        {canStop(run) && (
          <>
            <Tip text="Stop the CLI and keep the work; you can continue it later (p)">
              <Button
                icon={<Pause size={14} />}
                onClick={pause}
                aria-label="Pause"
                className="max-sm:w-9 max-sm:!px-0"
              >
                <span className="max-sm:hidden">Pause</span>
              </Button>
            </Tip>
            <Tip text="Stop the CLI and everything it started; the work is kept">
              <Button
                icon={<CircleStop size={14} />}
                onClick={cancel}
                aria-label="Cancel"
                className="max-sm:w-9 max-sm:!px-0"
              >
                <span className="max-sm:hidden">Cancel</span>
              </Button>
            </Tip>
          </>
        )}
        {canRetry(run) && (
          <Tip text="The CLI never started: retry worktree, set-up and launch">
            <Button icon={<RotateCcw size={14} />} onClick={retry} className="max-sm:hidden">
              Try again
            </Button>
          </Tip>
        )}
        <Tip text={bell}>
          <Button
            kind="quiet"
            aria-label={bell}
            aria-pressed={run.notify}
            icon={run.notify ? <Bell size={15} className="text-accent" /> : <BellOff size={15} />}
            onClick={notify}
          />
        </Tip>
        {canDelete(run) && (
          <Menu
            items={[
              {
                label: "Delete…",
                icon: <Trash2 size={14} />,
                danger: true,
                onSelect: () => setDeleting(true),
              },
            ]}
          >
            <Button kind="quiet" icon={<MoreHorizontal size={16} />} aria-label="More actions" />
          </Menu>
        )}
      </div>
      <div className="mt-0.5 flex items-baseline gap-3">
        <h1 className="min-w-0 truncate text-base font-semibold" title={run.task}>
          {firstLine(run.task)}
        </h1>
        <span className="ml-auto hidden shrink-0 text-xs text-muted sm:inline">
          {run.repos.map((repo) => repo.name).join(", ")} · {run.run_branch}
          {run.tokens_in + run.tokens_out > 0 &&
            ` · ${count(run.tokens_in + run.tokens_out)} tok · ${costOf(run.cost, "cost unknown")}`}
        </span>
      </div>
      <p className="line-clamp-3 text-xs break-words text-muted sm:hidden">{reasonOf(run)}</p>
      <DeleteDialog run={run} open={deleting} onOpenChange={setDeleting} />
    </header>
  );
}
