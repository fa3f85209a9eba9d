// Renders each kind of row.
import { clsx } from "clsx";
import { memo, type ReactNode } from "react";
import { useFeed } from "./context";
import { RowDetails } from "./details";
import { MessageText } from "./message";
import { Meta, took } from "./parts";
import type { Row, State } from "./row";

const SIGNS: Record<State, { sign: string; word: string; colour: string }> = {
  open: { sign: "●", word: "working", colour: "text-busy" },
  ok: { sign: "✓", word: "done", colour: "text-good" },
  failed: { sign: "✗", word: "failed", colour: "text-bad" },
  none: { sign: "–", word: "no result", colour: "text-muted" },
};

function Sign({ state }: { state: State }) {
  const { sign, word, colour } = SIGNS[state];
  return (
    <span className={clsx("shrink-0", colour)}>
      <span aria-hidden className={clsx(state === "open" && "pulse-slow")}>
        {sign}
      </span>
      <span className="sr-only">{word}</span>
    </span>
  );
}

interface LineProps {
  row: Row;
  open: boolean;
  icon?: ReactNode;
  children: ReactNode;
  before?: ReactNode;
  slim?: boolean;
}

/** A line that expands. */
function Line({ row, open, icon, children, before, slim }: LineProps) {
  const { toggle } = useFeed();
  return (
    <div className="flex items-center">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => toggle(row)}
        className={clsx(
          "flex min-w-0 flex-1 items-center gap-1.5 rounded px-1 text-left hover:bg-hover",
          slim ? "h-6 text-xs text-muted" : "h-7",
        )}
      >
        {icon ?? (
          <span
            aria-hidden
            className={clsx(
              "w-3 shrink-0 text-center text-sm leading-none text-muted transition-transform",
              open && "rotate-90",
            )}
          >
            ›
          </span>
        )}
        {children}
      </button>
      <Meta sequence={row.first} time={row.time} before={before} />
    </div>
  );
}

function Opened({ row, open }: { row: Row; open: boolean }) {
  return open ? (
    <div className="pt-1 pb-2 pl-5">
      <RowDetails row={row} />
    </div>
  ) : null;
}

function Tool({ row, open }: { row: Row; open: boolean }) {
  const edit = row.add >= 0 && row.state !== "failed";
  return (
    <>
      <Line row={row} open={open}>
        <span className="shrink-0 font-medium">{row.name}</span>
        <span className="min-w-0 truncate font-mono text-xs">{row.essence}</span>
        {edit && (
          <span className="shrink-0 font-mono text-xs">
            <span className="text-good">+{row.add}</span>{" "}
            <span className="text-bad">−{row.del}</span>
          </span>
        )}
        <Sign state={row.state} />
        {row.ms >= 0 && <span className="shrink-0 text-xs text-muted">{took(row.ms)}</span>}
      </Line>
      <Opened row={row} open={open} />
    </>
  );
}

function Agent({ row, open }: { row: Row; open: boolean }) {
  return (
    <Line row={row} open={open}>
      <span className="shrink-0 font-medium">Subagent {row.name}</span>
      <span className="min-w-0 truncate text-muted">{row.essence}</span>
      <span className="shrink-0 rounded-full bg-hover px-1.5 text-xs">
        {row.count} {row.count === 1 ? "event" : "events"}
      </span>
      <Sign state={row.state} />
      {row.ms >= 0 && <span className="shrink-0 text-xs text-muted">{took(row.ms)}</span>}
    </Line>
  );
}

const BY: Record<string, string> = {
  task: "Task",
  api: "Message",
  terminal: "Message, typed in the terminal",
};

function Prompt({ row }: { row: Row }) {
  return (
    <div className="mt-3 rounded-md border border-line-strong bg-raised px-3 py-1.5">
      <div className="flex items-center text-xs text-muted">
        <h3 className="font-semibold">
          Turn {row.count} · {BY[row.name] ?? "Message"}
        </h3>
        <Meta sequence={row.first} time={row.time} />
      </div>
      <div className="text-base break-words">
        <MessageText row={row} />
      </div>
    </div>
  );
}

function Message({ row }: { row: Row }) {
  return (
    <div className="flex items-start px-1 py-1.5">
      <div className="min-w-0 flex-1 text-base break-words">
        <MessageText row={row} />
        {row.state === "none" && <p className="text-xs text-muted">The message was cut off.</p>}
      </div>
      <Meta sequence={row.first} time={row.time} />
    </div>
  );
}

const END_SIGNS: Record<string, { sign: string; colour: string }> = {
  "run.paused": { sign: "◑", colour: "text-muted" },
  "run.completed": { sign: "✓", colour: "text-good" },
  "run.failed": { sign: "✗", colour: "text-bad" },
  "run.cancelled": { sign: "⊘", colour: "text-muted" },
};

function EndSign({ sign, colour }: { sign: string; colour: string }) {
  return (
    <span aria-hidden className={clsx("w-3 text-center", colour)}>
      {sign}
    </span>
  );
}

function End({ row, open }: { row: Row; open: boolean }) {
  const { sign = "◑", colour = "text-muted" } = END_SIGNS[row.name] ?? {};
  return (
    <div className="my-1 border-y border-line bg-sunken">
      <Line row={row} open={open} icon={<EndSign sign={sign} colour={colour} />}>
        <span className={clsx("truncate font-medium", row.state === "failed" && "text-bad")}>
          {row.essence}
        </span>
      </Line>
      <Opened row={row} open={open} />
    </div>
  );
}

function Slim({ row, open }: { row: Row; open: boolean }) {
  const mark = row.kind === "checkpoint";
  return (
    <>
      <Line
        row={row}
        open={open}
        slim
        icon={
          <span aria-hidden className="w-3 text-center">
            {mark ? "⚑" : "·"}
          </span>
        }
      >
        {row.kind === "other" && <span className="shrink-0 font-mono">{row.name}</span>}
        <span className={clsx("truncate", row.state === "failed" && "text-bad")}>
          {row.state === "failed" && "✗ "}
          {row.essence}
        </span>
        {mark && <span aria-hidden className="ml-1 h-px flex-1 bg-line" />}
      </Line>
      <Opened row={row} open={open} />
    </>
  );
}

function Attention({ row, open }: { row: Row; open: boolean }) {
  return (
    <div className="rounded bg-warn-soft">
      <Line
        row={row}
        open={open}
        icon={
          <span aria-hidden className="w-3 text-center text-warn">
            ◆
          </span>
        }
      >
        <span className="truncate font-medium text-warn">{row.essence || "Needs you"}</span>
      </Line>
      <Opened row={row} open={open} />
    </div>
  );
}

const ANSWER_SIGNS: Record<string, { sign: string; colour: string }> = {
  "approval.decided": { sign: "◇", colour: "text-text" },
};

/** How an approval was closed. */
function Answer({ row, open }: { row: Row; open: boolean }) {
  const { sign = "⊘", colour = "text-muted" } = ANSWER_SIGNS[row.name] ?? {};
  return (
    <>
      <Line row={row} open={open} icon={<EndSign sign={sign} colour={colour} />}>
        <span className={clsx("truncate", colour)}>{row.essence}</span>
      </Line>
      <Opened row={row} open={open} />
    </>
  );
}

function Body({ row, open }: { row: Row; open: boolean }) {
  switch (row.kind) {
    case "prompt":
      return <Prompt row={row} />;
    case "message":
      return <Message row={row} />;
    case "tool":
      return <Tool row={row} open={open} />;
    case "agent":
      return <Agent row={row} open={open} />;
    case "attention":
      return <Attention row={row} open={open} />;
    case "answer":
      return <Answer row={row} open={open} />;
    case "end":
      return <End row={row} open={open} />;
    case "checkpoint":
    case "life":
    case "other":
      return <Slim row={row} open={open} />;
  }
}

/** A row of the feed. Renders again only when it changes. */
export const FeedRow = memo(function FeedRow(props: { row: Row; open: boolean; marked: boolean }) {
  const { row, open, marked } = props;
  return (
    <div
      className={clsx(
        "group/row px-3",
        row.block > 0 && "ml-5 border-l-2 border-line-strong pl-2",
        marked && "bg-accent-soft outline-2 -outline-offset-2 outline-accent",
      )}
      aria-current={marked ? "true" : undefined}
      data-sequence={row.first}
      data-kind={row.kind}
    >
      <Body row={row} open={open} />
    </div>
  );
});
