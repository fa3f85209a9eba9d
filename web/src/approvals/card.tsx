// One open approval: what is asked, and the answers to it.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { Check, CheckCheck, X } from "lucide-react";
import { useId, useState, type ReactNode } from "react";
import type { Approval, Run } from "@/api/client";
import { agentsQuery } from "@/api/queries";
import { useNow } from "@/lib/clock";
import { exact, firstLine } from "@/lib/format";
import { Button } from "@/ui/button";
import { TextArea } from "@/ui/field";
import { KeyHint } from "@/ui/kbd";
import { Age } from "@/ui/time";
import { questionsOf } from "./answers";
import { useDecide, type Decision } from "./calls";
import { Questions } from "./questions";
import { ToolInput } from "./tool-input";
import { grantsOf, timeLeft, titleOf } from "./words";

export const cardId = (approval: Approval) => `approval-${approval.approval_id}`;

function TimeLeft({ at }: { at: string }) {
  const { text, soon } = timeLeft(at, useNow());
  return (
    <time
      dateTime={at}
      title={`Open until ${exact(at)}`}
      className={clsx("whitespace-nowrap", soon && "font-medium text-warn")}
    >
      {text}
    </time>
  );
}

/** The run that asks, with a link to it. */
function From({ run, project }: { run: Run; project: string | undefined }) {
  const agents = useQuery({ ...agentsQuery(run.project_id), retry: false }).data;
  const agent = agents?.find(({ id }) => id === run.agent_id)?.name ?? run.cli_name;
  return (
    <p className="flex min-w-0 flex-wrap items-baseline gap-x-2">
      <Link
        to="/runs/$runId/$tab"
        params={{ runId: run.id, tab: "activity" }}
        data-key="o"
        title={run.task}
        className="min-w-0 truncate font-medium hover:underline"
      >
        {firstLine(run.task)}
      </Link>
      <span className="min-w-0 truncate text-xs text-muted">
        {[agent, project].filter(Boolean).join(" · ")}
      </span>
    </p>
  );
}

/** Asks for a reason, which may stay empty, and denies. */
function DenyForm(props: {
  busy: boolean;
  onDeny: (message: string) => void;
  onCancel: () => void;
}) {
  const { busy, onDeny, onCancel } = props;
  const [message, setMessage] = useState("");
  const id = useId();
  return (
    <form
      className="mt-3 border-t pt-2"
      onSubmit={(event) => {
        event.preventDefault();
        onDeny(message);
      }}
    >
      <label htmlFor={id} className="mb-1 block font-medium">
        Message to the agent <span className="font-normal text-muted">(optional)</span>
      </label>
      <TextArea
        id={id}
        rows={2}
        autoFocus
        disabled={busy}
        placeholder="Why not, or what to do instead"
        className="field-sizing-content max-h-40 min-h-14"
        value={message}
        onChange={(event) => setMessage(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
            event.preventDefault();
            onDeny(message);
          }
          if (event.key === "Escape") {
            event.stopPropagation();
            onCancel();
          }
        }}
      />
      <div className="mt-2 flex flex-wrap gap-2">
        <Button type="submit" kind="danger" busy={busy} className="max-md:flex-1">
          Deny
          <KeyHint>Enter</KeyHint>
        </Button>
        <Button kind="quiet" disabled={busy} onClick={onCancel} className="max-md:flex-1">
          Back
          <KeyHint>Esc</KeyHint>
        </Button>
      </div>
    </form>
  );
}

interface ActionsProps {
  approval: Approval;
  busy: boolean;
  /** By a click of the pointer, or else by keyboard. */
  decide: (decision: Decision, clicked: boolean) => void;
  onDeny: () => void;
}

const DenyButton = ({ busy, onDeny }: { busy: boolean; onDeny: () => void }) => (
  <Button
    data-key="d"
    kind="danger"
    icon={<X size={14} aria-hidden />}
    disabled={busy}
    onClick={onDeny}
    className="max-md:flex-1"
  >
    Deny…
    <KeyHint>d</KeyHint>
  </Button>
);

function Actions({ approval, busy, decide, onDeny }: ActionsProps) {
  const { options } = approval;
  const grants = options.includes("allow_always") ? grantsOf(approval.grants) : [];
  const id = useId();
  return (
    <>
      {grants.length > 0 && (
        <div id={id} className="mt-2 text-xs text-muted">
          “Allow always” also grants:
          <ul className="list-disc pl-4 [overflow-wrap:anywhere] text-text">
            {grants.map((grant, at) => (
              <li key={at}>{grant}</li>
            ))}
          </ul>
        </div>
      )}
      <div className="mt-3 flex flex-wrap gap-2">
        {options.includes("allow") && (
          <Button
            data-key="a"
            kind="primary"
            icon={<Check size={14} aria-hidden />}
            busy={busy}
            onClick={(event) => decide({ decision: "allow" }, event.detail > 0)}
            className="max-md:flex-1"
          >
            {approval.kind === "plan" ? "Approve the plan" : "Allow"}
            <KeyHint>a</KeyHint>
          </Button>
        )}
        {options.includes("allow_always") && (
          <Button
            data-key="A"
            icon={<CheckCheck size={14} aria-hidden />}
            disabled={busy}
            aria-describedby={grants.length > 0 ? id : undefined}
            onClick={(event) => decide({ decision: "allow_always" }, event.detail > 0)}
            className="max-md:flex-1"
          >
            Allow always
            <KeyHint>Shift A</KeyHint>
          </Button>
        )}
        {options.includes("deny") && <DenyButton busy={busy} onDeny={onDeny} />}
      </div>
    </>
  );
}

interface Props {
  approval: Approval;
  /** The run that asks, as far as it is known. */
  run: Run | undefined;
  project?: string | undefined;
  /** Say which run asks. */
  named: boolean;
  /** The keys of the page act on this one. */
  current: boolean;
  onFocus: () => void;
  /** Whether a click may decide: not just after the list moved under the pointer. */
  steady: () => boolean;
}

export function ApprovalCard(props: Props) {
  const { approval, run, project, named, current, onFocus, steady } = props;
  const decideCall = useDecide();
  const [busy, setBusy] = useState(false);
  const [denying, setDenying] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const title = titleOf(approval);
  const titleId = useId();
  const questions = approval.kind === "question" ? questionsOf(approval.tool_input) : undefined;
  const decide = async (decision: Decision) => {
    if (busy) return;
    setBusy(true);
    setRefusal(null);
    try {
      await decideCall(approval, decision);
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
    }
    setBusy(false);
  };
  const act = (decision: Decision) => void decide(decision);
  const stopDenying = () => {
    setDenying(false);
    document.getElementById(cardId(approval))?.focus();
  };
  let answers: ReactNode;
  if (denying) {
    answers = (
      <DenyForm
        busy={busy}
        onDeny={(message) =>
          act({ decision: "deny", ...(message.trim() === "" ? {} : { message: message.trim() }) })
        }
        onCancel={stopDenying}
      />
    );
  } else if (questions === undefined || !approval.options.includes("answer")) {
    answers = (
      <Actions
        approval={approval}
        busy={busy}
        decide={(decision, clicked) => (clicked && !steady() ? undefined : act(decision))}
        onDeny={() => setDenying(true)}
      />
    );
  }
  return (
    <article
      id={cardId(approval)}
      tabIndex={-1}
      aria-labelledby={titleId}
      aria-current={current ? "true" : undefined}
      onFocus={onFocus}
      className={clsx(
        "scroll-my-2 border-l-2 px-4 py-3 outline-offset-[-2px]",
        current ? "border-l-accent" : "border-l-transparent",
      )}
    >
      <header className="mb-2">
        <div className="flex items-baseline gap-2">
          <span aria-hidden className="text-warn">
            ◆
          </span>
          <h2 id={titleId} className="min-w-0 flex-1 text-base font-semibold break-words">
            {title}
          </h2>
          <span className="flex shrink-0 items-baseline gap-1.5 text-xs text-muted">
            <span className="max-sm:hidden">
              asked <Age time={approval.requested_at} /> ago ·
            </span>
            <TimeLeft at={approval.expires_at} />
          </span>
        </div>
        {named && run && <From run={run} project={project} />}
      </header>
      {questions === undefined ? (
        <ToolInput
          name={approval.tool_name}
          input={approval.tool_input}
          roots={run?.repos.flatMap(({ worktree }) => worktree ?? []) ?? []}
        />
      ) : (
        <div hidden={denying}>
          <Questions
            questions={questions}
            busy={busy}
            onAnswer={(answer) => act({ decision: "answer", answer })}
          >
            {approval.options.includes("deny") && (
              <DenyButton busy={busy} onDeny={() => setDenying(true)} />
            )}
          </Questions>
        </div>
      )}
      {answers}
      {refusal !== null && (
        <p role="alert" className="mt-2 break-words text-bad">
          {refusal}
        </p>
      )}
    </article>
  );
}
