// Every event of the run as it is in the log. Row n is event n, so only visible rows are kept.
import { useVirtualizer } from "@tanstack/react-virtual";
import { clsx } from "clsx";
import { useEffect, useLayoutEffect, useRef } from "react";
import { useFeed } from "./context";
import { RowDetails } from "./details";
import { Meta } from "./parts";
import { PAGE_LEN } from "./protocol";
import { newRow, type Row } from "./row";
import type { FeedState } from "./store";

const ROW_PX = 24;
/** How long a page must stay in sight before it is read, in milliseconds. */
const STAY_MS = 60;

const pageOf = (sequence: number) => Math.floor((sequence - 1) / PAGE_LEN);
/** The event as a row, for its details. */
const asRow = (sequence: number): Row => newRow("other", sequence, 0);

interface Props {
  state: FeedState;
  opened: ReadonlySet<number>;
  at: number | undefined;
}

export function RawList({ state, opened, at }: Props) {
  const { store, toggle } = useFeed();
  const scroller = useRef<HTMLDivElement>(null);
  const { search } = state;
  const searching = search.text !== "";
  const found = search.found;
  const last = state.ready ? state.head : Math.max(state.head, state.target);
  const sequenceOf = (index: number) => (searching ? (found[index] ?? 0) : index + 1);
  // eslint-disable-next-line react-hooks/incompatible-library -- the list is drawn by it, not memoised
  const rows = useVirtualizer({
    count: searching ? found.length : last,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    getItemKey: sequenceOf,
    overscan: 10,
    paddingEnd: 12,
    anchorTo: "end",
    followOnAppend: true,
    scrollEndThreshold: 40,
  });
  const items = rows.getVirtualItems();
  const begun = useRef(false);
  useLayoutEffect(() => {
    if (begun.current || last === 0) return;
    begun.current = true;
    if (at === undefined) rows.scrollToEnd();
    else rows.scrollToIndex(at - 1, { align: "center" });
  }, [rows, last, at]);

  const missing = new Set<number>();
  for (const { index } of items) {
    const sequence = sequenceOf(index);
    const events = store.rawPage(pageOf(sequence));
    if (!events?.some((event) => event.sequence === sequence)) missing.add(pageOf(sequence));
  }
  const wanted = [...missing].join(" ");
  useEffect(() => {
    if (wanted === "") return;
    const timer = setTimeout(() => {
      for (const page of wanted.split(" ")) store.askRaw(Number(page));
    }, STAY_MS);
    return () => clearTimeout(timer);
  }, [store, wanted, last]);

  return (
    <div
      ref={scroller}
      tabIndex={0}
      role="region"
      aria-label="All events of the run"
      className="min-h-0 flex-1 overflow-y-auto [overflow-anchor:none]"
      data-testid="raw-feed"
    >
      <div className="relative" style={{ height: rows.getTotalSize() }}>
        <div
          role="list"
          className="absolute inset-x-0 top-0"
          style={{ transform: `translateY(${items[0]?.start ?? 0}px)` }}
        >
          {items.map(({ index, key }) => {
            const sequence = sequenceOf(index);
            const event = store
              .rawPage(pageOf(sequence))
              ?.find((event) => event.sequence === sequence);
            const open = opened.has(-sequence);
            return (
              <div
                key={key}
                ref={rows.measureElement}
                data-index={index}
                role="listitem"
                aria-posinset={index + 1}
                aria-setsize={rows.options.count}
                data-sequence={sequence}
                aria-current={sequence === at ? "true" : undefined}
                className={clsx("group/row px-3", sequence === at && "bg-accent-soft")}
              >
                <div className="flex items-center">
                  <button
                    type="button"
                    aria-expanded={open}
                    className="flex h-6 min-w-0 flex-1 items-center gap-2 rounded px-1 text-left font-mono text-xs hover:bg-hover"
                    onClick={() => toggle({ ...asRow(sequence), first: -sequence })}
                  >
                    <span className="w-14 shrink-0 text-right text-muted">{sequence}</span>
                    <span className="w-44 shrink-0 truncate max-md:w-32">{event?.type ?? "…"}</span>
                    <span className="truncate text-muted">{event?.essence}</span>
                  </button>
                  {event && <Meta sequence={sequence} time={Date.parse(event.created_at)} />}
                </div>
                {open && (
                  <div className="pb-2 pl-16 max-md:pl-2">
                    <RowDetails row={asRow(sequence)} />
                  </div>
                )}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
