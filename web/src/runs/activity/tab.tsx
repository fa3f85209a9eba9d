// The run's events as they are, newest last; each opens to its payload.
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import { api, data, type RunEvent } from "@/api/client";
import { onEvents } from "@/api/stream";
import { Button } from "@/ui/button";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { Age } from "@/ui/time";
import type { TabProps } from "../run-page";

/** Events read at once. */
const PAGE = 500;

/** What an event is about, in one line. */
function essence({ payload }: RunEvent): string {
  for (const key of ["tool_name", "text", "message", "reason", "by", "hook_event_name", "task"]) {
    const value = payload[key];
    if (typeof value === "string" && value !== "") return value.slice(0, 200);
  }
  return "";
}

export default function ActivityTab({ run }: TabProps) {
  const client = useQueryClient();
  const key = useMemo(() => ["run", run.id, "events"] as const, [run.id]);
  const pages = useInfiniteQuery({
    queryKey: key,
    initialPageParam: 0,
    queryFn: ({ pageParam }) =>
      data<RunEvent[]>(
        api.GET("/api/runs/{id}/events", {
          params: { path: { id: run.id }, query: { after_sequence: pageParam, limit: PAGE } },
        }) as Promise<{ data?: RunEvent[]; error?: unknown; response: Response }>,
      ),
    getNextPageParam: (page) => (page.length < PAGE ? undefined : page.at(-1)?.sequence),
  });
  const events = useMemo(() => pages.data?.pages.flat() ?? [], [pages.data]);
  useEffect(
    () =>
      onEvents((batch) => {
        if (batch.some((event) => event.run_id === run.id)) {
          void client.invalidateQueries({ queryKey: key, exact: true });
        }
      }),
    [client, key, run.id],
  );
  const scroll = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: events.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => 32,
    getItemKey: (at) => events[at]?.id ?? at,
    overscan: 10,
  });
  if (pages.isError) return <Failed error={pages.error} retry={() => void pages.refetch()} />;
  if (pages.isPending) return <Skeleton />;
  if (events.length === 0) return <Empty title="Nothing happened yet" />;
  return (
    <div
      ref={scroll}
      className="h-full overflow-y-auto"
      tabIndex={0}
      aria-label="Events of the run"
    >
      <ol className="relative" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((row) => {
          const event = events[row.index];
          return event ? (
            <li
              key={row.key}
              data-index={row.index}
              ref={rows.measureElement}
              className="absolute top-0 left-0 w-full border-b px-3 py-1.5"
              style={{ transform: `translateY(${row.start}px)` }}
            >
              <details>
                <summary className="flex cursor-pointer items-baseline gap-2">
                  <span className="w-8 shrink-0 text-right text-xs text-muted">
                    {event.sequence}
                  </span>
                  <span className="shrink-0 font-mono text-xs">{event.event_type}</span>
                  <span className="min-w-0 flex-1 truncate text-muted">{essence(event)}</span>
                  <Age time={event.created_at} className="shrink-0 text-xs text-muted" />
                </summary>
                <pre className="mt-1 overflow-x-auto rounded bg-sunken p-2 font-mono text-xs whitespace-pre-wrap">
                  {JSON.stringify(event.payload, null, 2)}
                </pre>
              </details>
            </li>
          ) : null;
        })}
      </ol>
      {pages.hasNextPage && (
        <Button
          className="m-3"
          busy={pages.isFetchingNextPage}
          onClick={() => void pages.fetchNextPage()}
        >
          Later events
        </Button>
      )}
    </div>
  );
}
