import { TriangleAlert } from "lucide-react";
import type { LeftOut } from "@/api/client";
import { pathOf } from "../left-out";

interface Props {
  all: LeftOut[];
  severalRepos: boolean;
  /** Shown above them. */
  title: string;
}

/** Paths that are in no checkpoint, each with the reason. */
export function LeftOutList({ all, severalRepos, title }: Props) {
  if (all.length === 0) return null;
  return (
    <div className="mt-2">
      <p className="flex items-start gap-1.5 text-text">
        <TriangleAlert size={14} className="mt-0.5 shrink-0 text-warn" aria-hidden /> {title}
      </p>
      <ul className="mt-1 max-h-40 overflow-y-auto">
        {all.map((left) => (
          <li key={`${left.repo_name}:${left.path}`} className="break-words">
            <code className="text-text">{pathOf(left, severalRepos)}</code>: {left.why}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The same above the changes; collapsed when there are many. */
export function LeftOutNote({ all, severalRepos }: Omit<Props, "title">) {
  if (all.length === 0) return null;
  const what = all.length === 1 ? "One path" : `${all.length} paths`;
  return (
    <details
      open={all.length <= 3}
      className="border-b bg-warn-soft px-3 py-1.5"
      data-testid="left-out"
    >
      <summary className="cursor-pointer">
        <TriangleAlert size={14} className="mr-1 inline text-warn" aria-hidden />
        {what} cannot be read. What is there now is not shown here and is in no commit or
        checkpoint.
      </summary>
      <ul className="mt-1 max-h-40 overflow-y-auto pl-5">
        {all.map((left) => (
          <li key={`${left.repo_name}:${left.path}`} className="break-words">
            <code>{pathOf(left, severalRepos)}</code>: {left.why}
          </li>
        ))}
      </ul>
    </details>
  );
}
