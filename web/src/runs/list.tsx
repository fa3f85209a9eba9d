import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { clsx } from "clsx";
import { Plus, Search } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Run } from "@/api/client";
import { projectsQuery, runsQuery } from "@/api/queries";
import { useKeys } from "@/app/keys";
import { useNow } from "@/lib/clock";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { Failed, Skeleton } from "@/ui/panes";
import { Welcome } from "./welcome";
import { grouped, matches } from "./groups";
import { RunRow } from "./row";
import { NotificationOffer } from "./notification-offer";

type Item = { title: string; count: number } | Run;

/** Heights in pixels, before they are measured. */
const TITLE_PX = 28;
const ROW_PX = 64;

export function RunList() {
  const runs = useQuery(runsQuery());
  const projects = useQuery(projectsQuery());
  const [filter, setFilter] = useState("");
  const minute = useNow(60_000);
  const navigate = useNavigate();
  const { runId } = useParams({ strict: false });
  const search = useRef<HTMLInputElement>(null);
  const scroll = useRef<HTMLDivElement>(null);

  const names = useMemo(
    () => new Map(projects.data?.map((project) => [project.id, project.name])),
    [projects.data],
  );
  const items = useMemo(() => {
    const found = (runs.data ?? []).filter((run) =>
      matches(run, filter, names.get(run.project_id) ?? ""),
    );
    return grouped(found, minute).flatMap(({ title, runs }): Item[] => [
      { title, count: runs.length },
      ...runs,
    ]);
  }, [runs.data, filter, names, minute]);

  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroll.current,
    estimateSize: (at) => ("title" in (items[at] ?? {}) ? TITLE_PX : ROW_PX),
    getItemKey: (at) => {
      const item = items[at];
      return item === undefined ? at : "title" in item ? item.title : item.id;
    },
    overscan: 8,
  });

  const step = (by: number) => {
    const ids = items.flatMap((item) => ("title" in item ? [] : [item.id]));
    const at = runId === undefined ? -1 : ids.indexOf(runId);
    const next = ids[Math.max(0, Math.min(ids.length - 1, at + by))];
    if (next) void navigate({ to: "/runs/$runId/$tab", params: { runId: next, tab: "terminal" } });
  };
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    "/": (event) => {
      event.preventDefault();
      search.current?.focus();
    },
  });
  useEffect(() => {
    const at = items.findIndex((item) => !("title" in item) && item.id === runId);
    if (at >= 0) rows.scrollToIndex(at, { align: "auto" });
    // Only when another run is selected: updates must not move the reader's position.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [runId]);

  if (runs.isError) return <Failed error={runs.error} retry={() => void runs.refetch()} />;
  return (
    <>
      <header className="flex items-center gap-1.5 border-b p-2">
        <div className="relative flex-1">
          <Search
            size={14}
            aria-hidden
            className="absolute top-2.25 left-2 max-md:top-2.75 text-muted"
          />
          <Input
            ref={search}
            type="search"
            aria-label="Filter runs"
            placeholder="Filter runs  /"
            className="pl-7"
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Escape") event.currentTarget.blur();
            }}
          />
        </div>
        <Button
          kind="primary"
          icon={<Plus size={15} />}
          onClick={() => void navigate({ to: "/runs/new" })}
        >
          New run
        </Button>
      </header>
      {runs.data !== undefined && runs.data.length > 0 && <NotificationOffer />}
      {runs.isPending ? (
        <Skeleton lines={9} />
      ) : runs.data.length === 0 ? (
        <Welcome />
      ) : (
        <div ref={scroll} className="min-h-0 flex-1 overflow-y-auto" data-testid="run-list">
          {items.length === 0 && (
            <p className="p-4 text-muted">
              No run matches.{" "}
              <button type="button" className="underline" onClick={() => setFilter("")}>
                Show all
              </button>
            </p>
          )}
          <ul className="relative" style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map((row) => {
              const item = items[row.index];
              if (!item) return null;
              return (
                <li
                  key={row.key}
                  data-index={row.index}
                  ref={rows.measureElement}
                  className="absolute top-0 left-0 w-full"
                  style={{ transform: `translateY(${row.start}px)` }}
                >
                  {"title" in item ? (
                    <h2 className="px-3 pt-2.5 pb-0.5 text-xs font-semibold tracking-wide text-muted uppercase">
                      {item.title} <span className="font-normal">{item.count}</span>
                    </h2>
                  ) : (
                    <Link
                      to="/runs/$runId/$tab"
                      params={{ runId: item.id, tab: "terminal" }}
                      aria-current={item.id === runId ? "true" : undefined}
                      className={clsx(
                        "block border-b px-3 py-2",
                        item.id === runId ? "bg-accent-soft" : "hover:bg-hover",
                      )}
                    >
                      <RunRow
                        run={item}
                        project={names.get(item.project_id) ?? "deleted project"}
                      />
                    </Link>
                  )}
                </li>
              );
            })}
          </ul>
        </div>
      )}
    </>
  );
}
