// The whole input of a tool, in the form that is read best.
import { Suspense, useMemo, type ReactNode } from "react";
import { bytes } from "@/lib/format";
import { lazyPart } from "@/lib/part";
import type { FileDiff } from "@/runs/activity/diff";
import { DiffView } from "@/runs/activity/diff-view";
import { partsOf, placeOf } from "./input";

const Markdown = lazyPart(() => import("@/runs/activity/markdown"));

/** Diffs with more lines are shown as text, which renders at once. */
const DIFF_LINES_MAX = 2000;

/** Lines that a box shows without scrolling, about. */
const LINES_SHOWN = 14;

/** A text in a box that scrolls. Nothing of it is left out, blanks at the ends of lines included. */
function Whole({ text, label, prompt }: { text: string; label: string; prompt?: string }) {
  const lines = text.split("\n").length;
  return (
    <>
      <pre
        tabIndex={0}
        aria-label={label}
        className="max-h-80 overflow-auto rounded-md border bg-sunken px-2.5 py-2 font-mono text-xs leading-5 [overflow-wrap:anywhere] whitespace-break-spaces max-md:max-h-[40dvh]"
      >
        {prompt !== undefined && (
          <span aria-hidden className="text-muted select-none">
            {prompt}{" "}
          </span>
        )}
        {text}
      </pre>
      {lines > LINES_SHOWN && <p className="mt-0.5 text-xs text-muted">{lines} lines</p>}
    </>
  );
}

function Warning({ children }: { children: ReactNode }) {
  return (
    <p className="mb-1.5 flex items-baseline gap-1.5 text-warn">
      <span aria-hidden>△</span>
      <span>{children}</span>
    </p>
  );
}

const Outside = () => <Warning>This file is outside of the run’s worktree.</Warning>;

function Diff({ file, roots }: { file: FileDiff; roots: readonly string[] }) {
  const { path, outside } = placeOf(file.path, roots);
  const shown = path || "a file without a name";
  return (
    <>
      {outside && <Outside />}
      {file.lines.length > DIFF_LINES_MAX ? (
        <>
          <p className="mb-1 font-mono text-xs break-all">{shown}</p>
          <Whole
            label={`Changes to ${shown}`}
            text={file.lines.map(({ sign, text }) => `${sign} ${text}`).join("\n")}
          />
        </>
      ) : (
        <DiffView file={file} path={shown} />
      )}
    </>
  );
}

function Titled({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="mt-2">
      <h4 className="mb-0.5 text-xs text-muted">{title}</h4>
      {children}
    </div>
  );
}

interface Props {
  name: string;
  input: unknown;
  /** Folders of the run's worktrees. */
  roots: readonly string[];
}

export function ToolInput({ name, input, roots }: Props) {
  const { shown, rest, cut } = useMemo(() => partsOf(name, input), [name, input]);
  let main: ReactNode;
  switch (shown.as) {
    case "command":
      main = (
        <>
          <Whole label="Command" text={shown.text} prompt="$" />
          {shown.why !== undefined && <p className="mt-1 break-words text-muted">{shown.why}</p>}
        </>
      );
      break;
    case "diff":
      main = shown.files.map((file, at) => <Diff key={at} file={file} roots={roots} />);
      break;
    case "content": {
      const { path, outside } = placeOf(shown.path, roots);
      main = (
        <>
          {outside && <Outside />}
          <p className="mb-1 font-mono text-xs break-all">{path}</p>
          <Whole label={`New content of ${path}`} text={shown.text} />
        </>
      );
      break;
    }
    case "plan":
      main = (
        <div
          tabIndex={0}
          role="group"
          aria-label="Plan"
          className="max-h-96 overflow-auto rounded-md border bg-sunken px-3 py-2 text-base break-words max-md:max-h-[45dvh]"
        >
          <Suspense fallback={<p className="whitespace-pre-wrap">{shown.text}</p>}>
            <Markdown text={shown.text} />
          </Suspense>
        </div>
      );
      break;
    case "json":
      main = <Whole label={`Input of ${name}`} text={shown.text} />;
  }
  return (
    <>
      {cut > 0 && (
        <Warning>
          {bytes(cut)} of this input are not shown: it is longer than what the log keeps. The
          terminal may show more.
        </Warning>
      )}
      {main}
      {rest !== "" && (
        <Titled title={shown.as === "plan" ? "With" : "Further options"}>
          <Whole label="Further options" text={rest} />
        </Titled>
      )}
    </>
  );
}
