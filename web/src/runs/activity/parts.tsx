// Small parts that rows share.
import { Link as LinkIcon } from "lucide-react";
import type { ReactNode } from "react";
import { exact, span } from "@/lib/format";
import { failed, succeeded } from "@/ui/toast";
import { useFeed } from "./context";

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** How long a call took: `93 ms`, `8.2 s`. */
export function took(ms: number): string {
  return ms < 1000 ? `${ms} ms` : span(ms);
}

/** When a row began, with a button that copies a link to it. */
export function Meta({
  sequence,
  time,
  before,
}: {
  sequence: number;
  time: number;
  before?: ReactNode;
}) {
  const { runId } = useFeed();
  const at = new Date(time);
  const copy = async () => {
    const link = new URL(`/runs/${runId}/activity?at=${sequence}`, location.origin);
    try {
      await navigator.clipboard.writeText(link.href);
      succeeded(`Link to event ${sequence} copied`);
    } catch (error) {
      failed("Could not copy the link", error);
    }
  };
  return (
    <span className="ml-auto flex shrink-0 items-center gap-1.5 pl-2 text-xs text-muted">
      {before}
      <button
        type="button"
        aria-label={`Copy link to event ${sequence}`}
        title={`Copy link to event ${sequence}`}
        className="rounded p-0.5 opacity-0 group-hover/row:opacity-100 hover:bg-hover hover:text-text focus-visible:opacity-100 pointer-coarse:p-1.5 pointer-coarse:opacity-100"
        onClick={() => void copy()}
      >
        <LinkIcon size={12} aria-hidden />
      </button>
      <time dateTime={at.toISOString()} title={exact(at.toISOString())}>
        {CLOCK.format(at)}
      </time>
    </span>
  );
}

/** A program's text, cut at a limit. */
export function Code({ text, label }: { text: string; label: string }) {
  const long = text.length > CODE_CHARS;
  return (
    <>
      <pre
        tabIndex={0}
        aria-label={label}
        className="max-h-96 overflow-auto rounded-md border bg-sunken px-2 py-1.5 font-mono text-xs break-words whitespace-pre-wrap"
      >
        {long ? text.slice(0, CODE_CHARS) : text}
      </pre>
      {long && (
        <p className="mt-0.5 text-xs text-muted">
          {(text.length - CODE_CHARS).toLocaleString("en")} more characters are in the log.
        </p>
      )}
    </>
  );
}

/** Most characters of input or output shown. */
const CODE_CHARS = 20_000;
