import { useVirtualizer } from "@tanstack/react-virtual";
import { clsx } from "clsx";
import { ChevronDown, ChevronRight, Info } from "lucide-react";
import { Suspense, useEffect, useMemo, useRef, useState } from "react";
import { count } from "@/lib/format";
import { lazyPart } from "@/lib/part";
import { Button } from "@/ui/button";
import { Check } from "@/ui/field";
import { STATUS, type Entry } from "./entries";
import { LONG_LINES, look, partsOf, type Look } from "./patch";
import { useReviewOfRun } from "./review";

const Diff = lazyPart(() => import("./diff"));

/** Height of a line of a diff and of a file's head, in pixels, before they are measured. */
const LINE_PX = 20;
const HEAD_PX = 48;

/** One piece of the list: a file, or a further part of a long one. */
interface Item {
  id: string;
  entry: Entry;
  look: Look;
  /** The part of the patch to show; nothing while it is collapsed. */
  patch: string | null;
  lines: number;
  /** The first piece of the file, which shows its head. */
  head: boolean;
  whole: boolean;
}

interface Props {
  entries: Entry[];
  severalRepos: boolean;
  split: boolean;
  /** Where to scroll; a new object scrolls again. */
  target: { key: string } | null;
  onCurrent: (key: string) => void;
}

function Head(props: {
  entry: Entry;
  severalRepos: boolean;
  open: boolean;
  onOpen: (open: boolean) => void;
}) {
  const { entry, severalRepos, open, onOpen } = props;
  const review = useReviewOfRun();
  const { file } = entry;
  const { word, letter, colour } = STATUS[file.status];
  const viewed = review.isViewed(entry);
  const repo = severalRepos ? `${entry.repo}/` : "";
  return (
    <div className="sticky top-0 z-10 flex items-center gap-2 border-y bg-sunken px-2 py-1">
      <Button
        kind="quiet"
        className="!h-6 !w-6"
        aria-expanded={open}
        aria-label={`${open ? "Collapse" : "Expand"} ${file.path}`}
        icon={open ? <ChevronDown size={14} /> : <ChevronRight size={14} />}
        onClick={() => onOpen(!open)}
      />
      <span className={clsx("font-mono font-semibold", colour)} title={word}>
        <span aria-hidden>{letter}</span>
        <span className="sr-only">{word}</span>
      </span>
      <h3 className="min-w-0 flex-1 font-mono text-xs break-all">
        {file.old_path && file.old_path !== file.path && (
          <span className="text-muted">
            {repo}
            {file.old_path} →{" "}
          </span>
        )}
        {repo}
        {file.path}
      </h3>
      <span className="shrink-0 font-mono text-xs">
        <span className="text-good">+{count(file.insertions)}</span>{" "}
        <span className="text-bad">−{count(file.deletions)}</span>
      </span>
      <span className="shrink-0">
        <Check
          label={<span className="max-md:sr-only">Viewed</span>}
          checked={viewed}
          onChange={(event) => {
            review.setViewed(entry, event.target.checked);
            onOpen(!event.target.checked);
          }}
        />
      </span>
    </div>
  );
}

function Body({ item, split, onShow }: { item: Item; split: boolean; onShow: () => void }) {
  const { look: seen, patch, entry, whole } = item;
  return (
    <>
      {item.head &&
        seen.notes.map((note) => (
          <p key={note} className="flex items-center gap-2 px-3 py-2 text-muted">
            <Info size={14} className="shrink-0" aria-hidden />
            {note}
          </p>
        ))}
      {seen.diff && patch === null && (
        <p className="flex items-center gap-3 px-3 py-3 text-muted">
          {seen.lines.toLocaleString("en")} lines are collapsed.
          <Button onClick={onShow} aria-label={`Show the lines of ${entry.file.path}`}>
            Show
          </Button>
        </p>
      )}
      {patch !== null && (
        <Suspense
          fallback={<div aria-busy="true" style={{ height: (item.lines + 1) * LINE_PX }} />}
        >
          <Diff entry={entry} patch={patch} whole={whole} split={split} />
        </Suspense>
      )}
    </>
  );
}

/** All files one below the other. Only those in view are rendered. */
export function Files({ entries, severalRepos, split, target, onCurrent }: Props) {
  const review = useReviewOfRun();
  const scroll = useRef<HTMLDivElement>(null);
  const [folded, setFolded] = useState<Record<string, boolean>>({});
  const looks = useMemo(
    () => entries.map((entry) => ({ entry, seen: look(entry.file) })),
    [entries],
  );
  const [begun] = useState(() => new Set(entries.filter(review.isViewed).map(({ key }) => key)));
  const isOpen = (key: string) => !(folded[key] ?? begun.has(key));
  const items = useMemo(
    () =>
      looks.flatMap(({ entry, seen }): Item[] => {
        const item = { id: entry.key, entry, look: seen, lines: 0, head: true, whole: true };
        const open = !(folded[entry.key] ?? begun.has(entry.key));
        const long = seen.lines > LONG_LINES;
        if (!seen.diff || !open || (long && folded[entry.key] === undefined))
          return [{ ...item, patch: null }];
        if (!long) return [{ ...item, patch: entry.file.diff, lines: seen.lines }];
        return partsOf(entry.file.diff).map((patch, at) => ({
          ...item,
          id: `${entry.key} ${at}`,
          patch,
          lines: patch.split("\n").length,
          head: at === 0,
          whole: false,
        }));
      }),
    [looks, folded, begun],
  );
  const list = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroll.current,
    estimateSize: (at) => {
      const item = items[at];
      if (!item) return HEAD_PX;
      const notes = item.look.notes.length + (item.look.diff && item.patch === null ? 1 : 0);
      return (item.head ? HEAD_PX : 0) + notes * 40 + item.lines * LINE_PX;
    },
    getItemKey: (at) => items[at]?.id ?? at,
    overscan: 1,
  });
  const drawn = list.getVirtualItems();
  const top = list.scrollOffset ?? 0;
  const first = items[drawn.find((item) => item.end > top + 8)?.index ?? 0]?.entry.key;
  useEffect(() => {
    if (first !== undefined) onCurrent(first);
  }, [first, onCurrent]);

  const latest = useRef({ items, list });
  useEffect(() => {
    latest.current = { items, list };
  });
  useEffect(() => {
    if (!target) return;
    const { items: now, list: to } = latest.current;
    const at = now.findIndex((item) => item.entry.key === target.key);
    if (at >= 0) to.scrollToIndex(at, { align: "start" });
  }, [target]);

  return (
    <div ref={scroll} className="h-full overflow-y-auto" data-testid="diffs">
      <div className="relative" style={{ height: list.getTotalSize() }}>
        {drawn.map(({ key, index, start }) => {
          const item = items[index];
          if (!item) return null;
          const open = isOpen(item.entry.key);
          const setOpen = (next: boolean) =>
            setFolded((all) => ({ ...all, [item.entry.key]: !next }));
          return (
            <section
              key={key}
              ref={list.measureElement}
              data-index={index}
              data-file={item.entry.file.path}
              aria-label={item.entry.file.path}
              className={clsx("absolute inset-x-0", item.head && "pb-3")}
              style={{ top: start }}
            >
              {item.head && (
                <Head entry={item.entry} severalRepos={severalRepos} open={open} onOpen={setOpen} />
              )}
              {open && <Body item={item} split={split} onShow={() => setOpen(true)} />}
            </section>
          );
        })}
      </div>
    </div>
  );
}
