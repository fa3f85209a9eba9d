import { clsx } from "clsx";
import type { DiffLine, FileDiff } from "./diff";

const LINE: Record<DiffLine["sign"], string> = {
  " ": "",
  "+": "bg-good-soft",
  "-": "bg-bad-soft",
  "@": "text-muted",
};
const WORD: Record<DiffLine["sign"], string> = {
  " ": "",
  "+": "added: ",
  "-": "removed: ",
  "@": "",
};

/** An edit as removed and added lines. */
export function DiffView({ file, path }: { file: FileDiff; path: string }) {
  const numbers = file.lines.some((line) => line.old > 0 || line.now > 0);
  return (
    <figure className="mb-2 overflow-hidden rounded-md border last:mb-0">
      <figcaption className="truncate border-b bg-sunken px-2 py-1 font-mono text-xs" title={path}>
        {path}
      </figcaption>
      <div
        tabIndex={0}
        role="group"
        aria-label={`Changes to ${path}`}
        className="max-h-96 overflow-auto font-mono text-xs"
      >
        <div className="w-max min-w-full">
          {file.lines.map((line, at) => (
            <div key={at} className={clsx("flex whitespace-pre", LINE[line.sign])}>
              {numbers && (
                <span aria-hidden className="w-10 shrink-0 pr-2 text-right text-muted select-none">
                  {line.now || line.old || ""}
                </span>
              )}
              <span
                aria-hidden
                className={clsx(
                  "w-4 shrink-0 text-center select-none",
                  line.sign === "+" && "text-good",
                  line.sign === "-" && "text-bad",
                )}
              >
                {line.sign === "-" ? "−" : line.sign === "@" ? "⋯" : line.sign}
              </span>
              <span className="sr-only">{WORD[line.sign]}</span>
              <span className="pr-2">{line.text || " "}</span>
            </div>
          ))}
        </div>
        {file.lines.length === 0 && <p className="px-2 py-1 text-muted">No lines changed.</p>}
      </div>
      {file.more > 0 && (
        <p className="border-t px-2 py-1 text-xs text-muted">{file.more} more lines</p>
      )}
    </figure>
  );
}
