import { clsx } from "clsx";
import { useMemo, useState } from "react";
import type { FileChange } from "@/api/client";
import { Button } from "@/ui/button";
import { diffLines, type LineKind } from "./compare-files";

/** Lines shown until the user asks for the rest. */
const LINES_MAX = 600;

const COLOURS: Record<LineKind, string> = {
  added: "bg-good-soft text-good",
  removed: "bg-bad-soft text-bad",
  hunk: "text-busy",
  head: "text-muted",
  plain: "",
};

/** One file's change as unified text. The signs at the line starts repeat what the colours show. */
export function DiffText({ file }: { file: FileChange | undefined }) {
  const [all, setAll] = useState(false);
  const lines = useMemo(
    () => diffLines(file?.diff ?? "").filter(({ kind }) => kind !== "head"),
    [file?.diff],
  );
  if (!file) return <p className="p-2 text-muted">Did not change this file.</p>;
  if (file.binary) return <p className="p-2 text-muted">Binary file: {file.status}.</p>;
  if (file.truncated) return <p className="p-2 text-muted">Larger than 1 MiB; not shown.</p>;
  if (lines.length === 0) {
    return <p className="p-2 text-muted">{file.status}, with no changed lines.</p>;
  }
  return (
    <>
      <pre
        tabIndex={0}
        aria-label={`Changes to ${file.path}`}
        className="max-h-[70vh] overflow-auto py-1 font-mono text-xs leading-5"
      >
        <code className="block w-max min-w-full">
          {(all ? lines : lines.slice(0, LINES_MAX)).map(({ kind, text }, at) => (
            <span key={at} className={clsx("block px-2", COLOURS[kind])}>
              {text || " "}
            </span>
          ))}
        </code>
      </pre>
      {!all && lines.length > LINES_MAX && (
        <Button className="m-2" onClick={() => setAll(true)}>
          Show all {lines.length} lines
        </Button>
      )}
    </>
  );
}
