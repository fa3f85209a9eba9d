// The rows of a feed in a window that sticks to the end until the reader scrolls up.
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { Button } from "@/ui/button";
import { guessedHeight } from "./heights";
import type { Row } from "./row";
import { FeedRow } from "./rows";
import type { FeedState, FeedStore } from "./store";
import { rowOf } from "./view";

/** Distance from the end that counts as at the end, in pixels. */
const END_PX = 40;

interface Props {
  store: FeedStore;
  state: FeedState;
  /** Rows whose details are open. */
  opened: ReadonlySet<number>;
  /** Sequence of the event in the URL. */
  at: number | undefined;
}

/** The row of the event in the URL, once the log was read up to it. */
function useMarked({ store, at }: Props): Row | undefined {
  return at !== undefined && store.covers(at) ? rowOf(store.rows(), at) : undefined;
}

export function FeedList(props: Props) {
  const { store, state, opened, at } = props;
  const { list } = state;
  const scroller = useRef<HTMLDivElement>(null);
  // Where the reader left the end: rows after it are new.
  const [leftAt, setLeftAt] = useState<number>();
  // eslint-disable-next-line react-hooks/incompatible-library -- the list is drawn by it, not memoised
  const rows = useVirtualizer({
    count: list.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => guessedHeight(list[index] as Row),
    getItemKey: (index) => list[index]?.first ?? index,
    overscan: 5,
    paddingStart: 4,
    paddingEnd: 12,
    anchorTo: "end",
    followOnAppend: true,
    scrollEndThreshold: leftAt === undefined ? END_PX : -1,
  });

  const follow = () => {
    const element = scroller.current;
    if (!element) return;
    const away = element.scrollHeight - element.clientHeight - element.scrollTop > END_PX;
    if (!away) setLeftAt(undefined);
    else setLeftAt((left) => left ?? store.rows().at(-1)?.first ?? 0);
  };
  const fresh = leftAt === undefined || !state.ready ? 0 : store.newer(leftAt);

  // An opened row keeps its place and grows downwards.
  const wasOpened = useRef(opened);
  useLayoutEffect(() => {
    if (wasOpened.current === opened) return;
    wasOpened.current = opened;
    setLeftAt((left) => left ?? store.rows().at(-1)?.first ?? 0);
  }, [opened, store]);

  const shown = list.length > 0;
  const begun = useRef(false);
  useLayoutEffect(() => {
    if (!shown || begun.current) return;
    begun.current = true;
    if (at === undefined) rows.scrollToEnd();
  }, [shown, at, rows]);

  const marked = useMarked(props);
  const went = useRef<number>(undefined);
  useEffect(() => {
    if (at === undefined || went.current === at || !marked) return;
    if (marked.block > 0 && !state.open.has(marked.block)) {
      store.toggle(marked.block, true);
      return; // runs again when the list has the block's rows
    }
    const index = list.findIndex((row) => row.first === marked.first);
    if (index < 0) {
      if (state.filters.size > 0) store.filter(new Set());
      if (state.search.text !== "") store.search("");
      return;
    }
    went.current = at;
    rows.scrollToIndex(index, { align: "center" });
    follow();
  });

  const items = rows.getVirtualItems();
  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label="Events of the run"
        className="h-full overflow-y-auto [overflow-anchor:none]"
        onScroll={follow}
        data-testid="feed"
      >
        <div className="relative mx-auto max-w-5xl" style={{ height: rows.getTotalSize() }}>
          <div
            role="list"
            className="absolute inset-x-0 top-0"
            style={{ transform: `translateY(${items[0]?.start ?? 0}px)` }}
          >
            {items.map(({ index, key }) => {
              const row = list[index];
              return (
                row && (
                  <div
                    key={key}
                    ref={rows.measureElement}
                    data-index={index}
                    role="listitem"
                    aria-posinset={index + 1}
                    aria-setsize={list.length}
                    className="flow-root"
                  >
                    <FeedRow
                      row={row}
                      open={
                        row.kind === "agent" ? state.open.has(row.first) : opened.has(row.first)
                      }
                      marked={row.first === marked?.first}
                    />
                  </div>
                )
              );
            })}
          </div>
        </div>
      </div>
      {leftAt !== undefined && (
        <Button
          className="absolute right-4 bottom-3 shadow-md"
          kind={fresh > 0 ? "primary" : "plain"}
          icon={<ArrowDown size={14} aria-hidden />}
          onClick={() => {
            setLeftAt(undefined);
            rows.scrollToEnd();
          }}
        >
          {fresh > 0 ? `${fresh.toLocaleString("en")} new` : "Jump to the end"}
        </Button>
      )}
    </div>
  );
}
