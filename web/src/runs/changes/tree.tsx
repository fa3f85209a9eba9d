import { useVirtualizer } from "@tanstack/react-virtual";
import { clsx } from "clsx";
import { ChevronDown, ChevronRight, MessageSquare } from "lucide-react";
import { useMemo, useRef, useState, type KeyboardEvent } from "react";
import { count } from "@/lib/format";
import { Input } from "@/ui/field";
import { filtered, STATUS, treeRows, type Entry, type FileRow } from "./entries";
import { useReviewOfRun } from "./review";

interface Props {
  entries: Entry[];
  severalRepos: boolean;
  current: string | null;
  /** Rows for fingers. */
  tall?: boolean;
  onChoose: (entry: Entry) => void;
}

function FileLine({ row, name, said }: { row: FileRow; name: string; said: number }) {
  const { file } = row.entry;
  const { letter, word, colour } = STATUS[file.status];
  return (
    <>
      <span
        className={clsx("w-3 shrink-0 text-center font-mono font-semibold", colour)}
        title={word}
      >
        <span aria-hidden>{letter}</span>
        <span className="sr-only">{word}</span>
      </span>
      <span
        className={clsx(
          "min-w-0 flex-1 truncate",
          file.status === "deleted" && "line-through decoration-muted",
        )}
        title={file.old_path ? `${file.old_path} → ${file.path}` : file.path}
      >
        {name}
      </span>
      {said > 0 && (
        <span className="inline-flex items-center gap-0.5 text-xs text-accent" title="Comments">
          <MessageSquare size={11} aria-hidden />
          {said}
        </span>
      )}
      <span className="shrink-0 font-mono text-xs">
        {file.insertions > 0 && <span className="text-good">+{count(file.insertions)}</span>}{" "}
        {file.deletions > 0 && <span className="text-bad">−{count(file.deletions)}</span>}
      </span>
    </>
  );
}

/** The changed files as a tree; only rows in view are rendered. */
export function FileTree({ entries, severalRepos, current, tall, onChoose }: Props) {
  const review = useReviewOfRun();
  const [filter, setFilter] = useState("");
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState(0);
  const scroll = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => filtered(entries, filter), [entries, filter]);
  const rows = useMemo(
    () => treeRows(shown, collapsed, severalRepos),
    [shown, collapsed, severalRepos],
  );
  const said = useMemo(() => {
    const counts = new Map<string, number>();
    for (const { key } of review.comments) counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts;
  }, [review.comments]);
  const height = tall ? 40 : 26;
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => height,
    overscan: 10,
  });
  const focused = Math.min(at, rows.length - 1);
  const focus = (to: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setAt(next);
    list.scrollToIndex(next);
    requestAnimationFrame(() =>
      scroll.current?.querySelector<HTMLElement>(`[data-row="${next}"]`)?.focus(),
    );
  };
  const fold = (id: string, open: boolean) =>
    setCollapsed((folded) => {
      const next = new Set(folded);
      if (open) next.delete(id);
      else next.add(id);
      return next;
    });
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[focused];
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    if (key === "ArrowDown" || key === "j") focus(focused + 1);
    else if (key === "ArrowUp" || key === "k") focus(focused - 1);
    else if (key === "Home") focus(0);
    else if (key === "End") focus(rows.length - 1);
    else if (row.kind === "folder" && (key === "Enter" || key === " ")) fold(row.id, !row.open);
    else if (row.kind === "folder" && key === "ArrowRight") {
      if (row.open) focus(focused + 1);
      else fold(row.id, true);
    } else if (key === "ArrowLeft") {
      if (row.kind === "folder" && row.open) fold(row.id, false);
      else focus(rows.slice(0, focused).findLastIndex((above) => above.depth < row.depth));
    } else if (row.kind === "file" && key === "Enter") onChoose(row.entry);
    else if (row.kind === "file" && (key === "v" || key === " "))
      review.setViewed(row.entry, !review.isViewed(row.entry));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="p-2">
        <Input
          type="search"
          aria-label="Filter the files"
          placeholder="Filter files"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
      </div>
      {rows.length === 0 && <p className="px-3 py-2 text-muted">No file matches.</p>}
      <div ref={scroll} className="min-h-0 flex-1 overflow-y-auto px-1 pb-2">
        <div
          role="tree"
          aria-label="Changed files"
          className="relative"
          style={{ height: list.getTotalSize() }}
          onKeyDown={onKeyDown}
        >
          {list.getVirtualItems().map(({ index, start }) => {
            const row = rows[index];
            if (!row) return null;
            const file = row.kind === "file" ? row.entry : null;
            const viewed = file !== null && review.isViewed(file);
            return (
              <div
                key={row.kind === "folder" ? row.id : row.entry.key}
                role="treeitem"
                data-row={index}
                tabIndex={index === focused ? 0 : -1}
                aria-level={row.depth + 1}
                aria-selected={file !== null && file.key === current}
                {...(row.kind === "folder" ? { "aria-expanded": row.open } : {})}
                onFocus={() => setAt(index)}
                onClick={() =>
                  row.kind === "folder" ? fold(row.id, !row.open) : onChoose(row.entry)
                }
                className={clsx(
                  "absolute inset-x-0 flex cursor-pointer items-center gap-1.5 rounded px-1.5 hover:bg-hover",
                  file !== null && file.key === current && "bg-hover",
                  viewed && "text-muted",
                )}
                style={{ top: start, height, paddingLeft: 6 + row.depth * 12 }}
              >
                {row.kind === "folder" ? (
                  <>
                    {row.open ? (
                      <ChevronDown size={13} className="shrink-0 text-muted" aria-hidden />
                    ) : (
                      <ChevronRight size={13} className="shrink-0 text-muted" aria-hidden />
                    )}
                    <span className="min-w-0 flex-1 truncate" title={row.name}>
                      {row.name}
                    </span>
                    <span className="text-xs text-muted">
                      {row.count}
                      <span className="sr-only"> files</span>
                    </span>
                  </>
                ) : (
                  <>
                    <FileLine row={row} name={row.name} said={said.get(row.entry.key) ?? 0} />
                    <input
                      type="checkbox"
                      tabIndex={-1}
                      title="Viewed (v)"
                      aria-label={`Viewed: ${row.name}`}
                      className="size-3.5 shrink-0 accent-(--accent)"
                      checked={viewed}
                      onClick={(event) => event.stopPropagation()}
                      onChange={(event) => review.setViewed(row.entry, event.target.checked)}
                    />
                  </>
                )}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
