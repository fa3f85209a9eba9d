// The tab Activity: everything that happened in a run, grouped by turn.
import { useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { ApprovalsOfRun } from "@/approvals/of-run";
import { useKeys } from "@/app/keys";
import { CallError } from "@/api/client";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import type { TabProps } from "../run-page";
import { FeedContext, type Feed } from "./context";
import { FeedList } from "./list";
import { RawList } from "./raw";
import type { Row } from "./row";
import { FeedStore } from "./store";
import { Toolbar } from "./toolbar";
import type { Filter } from "./view";

/** A store for the life of the tab. */
function useStore(runId: string, lastSequence: number): FeedStore | undefined {
  const [store, setStore] = useState<FeedStore>();
  const last = useRef(lastSequence);
  useEffect(() => {
    const opened = new FeedStore(runId, last.current);
    // The worker starts and ends with the tab.

    setStore(opened);
    return () => opened.close();
  }, [runId]);
  return store;
}

export default function ActivityTab({ run }: TabProps) {
  const store = useStore(run.id, run.last_sequence);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <ApprovalsOfRun runId={run.id} />
      <div className="min-h-0 flex-1">
        {store ? <Activity store={store} runId={run.id} /> : <Skeleton />}
      </div>
    </div>
  );
}

function Activity({ store, runId }: { store: FeedStore; runId: string }) {
  const { at } = useSearch({ from: "/runs/$runId/$tab" });
  const state = useSyncExternalStore(store.listen, store.state);
  const [raw, setRaw] = useState(false);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const input = useRef<HTMLInputElement>(null);
  useKeys({
    "Shift+F": (event) => {
      event.preventDefault();
      input.current?.focus();
    },
  });
  const toggle = useCallback(
    (row: Row) => {
      if (row.kind === "agent") {
        store.toggle(row.first);
        return;
      }
      setOpened((opened) => {
        const next = new Set(opened);
        if (!next.delete(row.first)) next.add(row.first);
        return next;
      });
    },
    [store],
  );
  const feed = useMemo<Feed>(() => ({ store, runId, toggle }), [store, runId, toggle]);
  const onFilter = useCallback((filters: ReadonlySet<Filter>) => store.filter(filters), [store]);
  const onSearch = useCallback((text: string) => store.search(text), [store]);
  const { list, ready, error, head, target } = state;
  const chosen = state.filters.size > 0 || state.search.text !== "";
  return (
    <FeedContext value={feed}>
      <div
        className="flex h-full min-h-0 flex-col"
        // The sequence up to which everything was read, which tests wait for.
        data-activity-ready={ready ? head : undefined}
      >
        <Toolbar
          state={state}
          raw={raw}
          input={input}
          onFilter={onFilter}
          onRaw={setRaw}
          onSearch={onSearch}
        />
        {!ready && !error && target > 0 && <Progress head={head} target={target} />}
        {error && <Failed error={new CallError(error.status, error.message)} />}
        {raw ? (
          <RawList state={state} opened={opened} at={at} />
        ) : list.length > 0 ? (
          <FeedList store={store} state={state} opened={opened} at={at} />
        ) : ready ? (
          <Empty title={chosen ? "No matching events" : "No activity yet"}>
            {chosen
              ? "No event of this run matches the chosen kinds and the search."
              : "The agent's messages and actions appear here."}
          </Empty>
        ) : (
          !error && <Skeleton />
        )}
      </div>
    </FeedContext>
  );
}

/** Progress while a long log is read; its newest part is shown meanwhile. */
function Progress({ head, target }: { head: number; target: number }) {
  return (
    <div
      role="progressbar"
      aria-label="Reading the run's log"
      aria-valuenow={Math.floor((100 * head) / target)}
      className="h-0.5 shrink-0 bg-line"
    >
      <div className="h-full bg-accent" style={{ width: `${(100 * head) / target}%` }} />
    </div>
  );
}
