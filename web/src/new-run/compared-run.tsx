import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, CircleStop, MessageSquare, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Run } from "@/api/client";
import { agentsQuery } from "@/api/queries";
import { costOf, count, firstLine, span } from "@/lib/format";
import { canContinue, canDelete, canQueue, canStop, runAction, useRunCalls } from "@/runs/actions";
import { ConfirmLoss } from "@/runs/confirm-loss";
import { reasonOf } from "@/runs/reason";
import { DiffCount } from "@/runs/row";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { TextArea } from "@/ui/field";
import { StateBadge, stateOf } from "@/ui/state";
import { Age } from "@/ui/time";
import { succeeded } from "@/ui/toast";
import { KeepDialog } from "./keep";

interface Props {
  run: Run;
  at: number;
  all: Run[];
  withTask: boolean;
  /** The run was deleted or removed from the comparison. */
  onLeave: () => void;
}

function MessageDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const calls = useRunCalls();
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const queues = canQueue(run);
  const send = async () => {
    if (text.trim() === "" || busy) return;
    setBusy(true);
    const sent = await runAction("Could not send the message", () => calls.send(run, text));
    setBusy(false);
    if (sent) onClose();
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={queues ? "Message to send after this turn" : "Continue this run"}
      footer={
        <Button
          kind="primary"
          busy={busy}
          disabled={text.trim() === ""}
          onClick={() => void send()}
        >
          {queues ? "Queue" : "Continue"}
        </Button>
      }
    >
      <TextArea
        autoFocus
        aria-label="Message to the agent"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void send();
        }}
      />
    </Dialog>
  );
}

/** The head of one attempt: what it is, what it cost, and its actions. */
export function ComparedRun({ run, at, all, withTask, onLeave }: Props) {
  const calls = useRunCalls();
  const agents = useQuery(agentsQuery(run.project_id)).data;
  const agent = agents?.find((known) => known.id === run.agent_id);
  const [dialog, setDialog] = useState<"message" | "delete" | "keep" | null>(null);
  const close = () => setDialog(null);
  const took = Date.parse(run.updated_at) - Date.parse(run.created_at);
  const facts = [
    { name: "Cost", value: costOf(run.cost) },
    { name: "Tokens in / out", value: `${count(run.tokens_in)} / ${count(run.tokens_out)}` },
    { name: "From start to last event", value: span(took) },
  ];
  return (
    <li
      aria-label={`Attempt ${at + 1}`}
      className="flex min-w-0 flex-col gap-1.5 border-l px-3 py-2.5 first:border-l-0"
    >
      <div className="flex items-baseline gap-2">
        <span className="text-muted">{at + 1}</span>
        <Link
          to="/runs/$runId/$tab"
          params={{ runId: run.id, tab: "changes" }}
          className="min-w-0 truncate text-base font-semibold hover:underline"
        >
          {agent?.name ?? run.cli_name}
        </Link>
        <span className="min-w-0 flex-1 truncate text-muted">
          {run.model ?? agent?.model ?? run.cli_name}
        </span>
        <DiffCount runId={run.id} />
      </div>
      {withTask && <p className="truncate">{firstLine(run.task)}</p>}
      <div className="flex items-baseline gap-2">
        <StateBadge state={stateOf(run)} />
        <span className="min-w-0 flex-1 truncate text-muted" title={reasonOf(run)}>
          {reasonOf(run)}
        </span>
        <Age
          time={run.attention?.since ?? run.activity.since}
          className="shrink-0 text-xs text-muted"
        />
      </div>
      <dl className="grid grid-cols-[auto_1fr] gap-x-3 text-xs">
        {facts.map(({ name, value }) => (
          <div key={name} className="contents">
            <dt className="text-muted">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <dt className="text-muted">Branch</dt>
        <dd className="truncate font-mono">{run.run_branch}</dd>
      </dl>
      <div className="mt-auto flex flex-wrap gap-1.5 pt-1">
        <Button kind="primary" icon={<Check size={14} />} onClick={() => setDialog("keep")}>
          Keep this one
        </Button>
        {(canContinue(run) || canQueue(run)) && (
          <Button icon={<MessageSquare size={14} />} onClick={() => setDialog("message")}>
            {canQueue(run) ? "Message" : "Continue"}
          </Button>
        )}
        {canStop(run) && (
          <Button
            icon={<CircleStop size={14} />}
            onClick={() => void runAction("Could not cancel the run", () => calls.cancel(run.id))}
          >
            Cancel
          </Button>
        )}
        {canDelete(run) && (
          <Button
            kind="quiet"
            icon={<Trash2 size={14} />}
            aria-label={`Delete attempt ${at + 1}`}
            onClick={() => setDialog("delete")}
          />
        )}
      </div>
      {dialog === "message" && <MessageDialog run={run} onClose={close} />}
      {dialog === "keep" && <KeepDialog run={run} all={all} at={at} onClose={close} />}
      <ConfirmLoss
        open={dialog === "delete"}
        onOpenChange={(open) => !open && close()}
        title={`Delete attempt ${at + 1}?`}
        action="Delete run"
        danger
        failure="Could not delete the run"
        act={async (force) => {
          await calls.remove(run.id, force);
          succeeded("Run deleted. Its work is kept for 30 days.");
          onLeave();
        }}
      >
        This deletes its worktree, branch <code>{run.run_branch}</code>, events and logs. Unmerged
        work is kept for 30 days under <code>refs/abbado/deleted/{run.id}</code>.
      </ConfirmLoss>
    </li>
  );
}
