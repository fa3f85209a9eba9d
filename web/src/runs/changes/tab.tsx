import { useQuery } from "@tanstack/react-query";
import { Columns2, FolderTree, Rows2 } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { CallError, type LeftOut, type Run } from "@/api/client";
import { branchesQuery, changesQuery } from "@/api/queries";
import { useStored } from "@/lib/stored";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { Tip } from "@/ui/tip";
import type { TabProps } from "../run-page";
import { useShipCalls } from "./calls";
import { entriesOf, type Entry } from "./entries";
import { Files } from "./files";
import { LeftOutNote } from "./left-out-list";
import { ReviewProvider, useReview } from "./review";
import { canShip } from "./ship";
import { ShipBar } from "./ship-bar";
import { Timeline } from "./timeline";
import { Tray } from "./tray";
import { FileTree } from "./tree";

const NONE: LeftOut[] = [];
/** Minimum width for a side-by-side diff, in pixels. */
const SPLIT_PX = 1000;
/** Minimum width for the tree beside the diffs, in pixels. */
const TREE_PX = 720;

/** The width of an element, kept up to date. */
function useWidth() {
  const [width, setWidth] = useState(0);
  const watcher = useRef<ResizeObserver | null>(null);
  const measure = useCallback((element: HTMLElement | null) => {
    watcher.current?.disconnect();
    if (!element) return;
    watcher.current = new ResizeObserver(([entry]) => {
      if (entry) setWidth(entry.contentRect.width);
    });
    watcher.current.observe(element);
  }, []);
  return [width, measure] as const;
}

function Panes({ run, entries }: { run: Run; entries: Entry[] }) {
  const review = useReview(run.id);
  const [width, measure] = useWidth();
  const [mode, setMode] = useStored<"auto" | "split" | "unified">("changes.mode", "auto");
  const [target, setTarget] = useState<{ key: string } | null>(null);
  const [current, setCurrent] = useState<string | null>(null);
  const [choosing, setChoosing] = useState(false);
  const severalRepos = run.repos.length > 1;
  const wide = width >= TREE_PX;
  const split = wide && (mode === "auto" ? width >= SPLIT_PX : mode === "split");
  const viewed = entries.filter(review.isViewed).length;
  const go = (key: string) => {
    setCurrent(key);
    setTarget({ key });
  };
  const tree = (
    <FileTree
      entries={entries}
      severalRepos={severalRepos}
      current={current}
      tall={!wide}
      onChoose={(entry) => {
        go(entry.key);
        setChoosing(false);
      }}
    />
  );
  const shown = entries.find((entry) => entry.key === current);
  return (
    <ReviewProvider value={review}>
      <div className="flex items-center gap-2 border-b px-3 py-1 text-muted">
        {wide ? (
          <span>
            {entries.length} {entries.length === 1 ? "file" : "files"}, {viewed} viewed
          </span>
        ) : (
          <Button
            icon={<FolderTree size={14} />}
            className="min-w-0 flex-1 !justify-start"
            onClick={() => setChoosing(true)}
          >
            <span className="truncate">
              {shown ? shown.file.path : "Files"} ({viewed}/{entries.length} viewed)
            </span>
          </Button>
        )}
        {wide && (
          <span className="ml-auto">
            <Tip text={split ? "Unified" : "Side by side"}>
              <Button
                kind="quiet"
                icon={split ? <Rows2 size={15} /> : <Columns2 size={15} />}
                aria-label={split ? "Show a unified diff" : "Show the diff side by side"}
                onClick={() => setMode(split ? "unified" : "split")}
              />
            </Tip>
          </span>
        )}
      </div>
      <div ref={measure} className="flex min-h-0 flex-1">
        {wide && <aside className="w-64 shrink-0 border-r">{tree}</aside>}
        <div className="min-h-0 min-w-0 flex-1">
          {width > 0 && (
            <Files
              entries={entries}
              severalRepos={severalRepos}
              split={split}
              target={target}
              onCurrent={setCurrent}
            />
          )}
        </div>
      </div>
      <Tray run={run} entries={entries} onGo={(comment) => go(comment.key)} />
      <Dialog open={choosing && !wide} onOpenChange={setChoosing} title="Changed files">
        <div className="-mx-2 h-[60dvh]">{tree}</div>
      </Dialog>
    </ReviewProvider>
  );
}

function Loading() {
  return (
    <div className="flex h-full">
      <div className="w-64 shrink-0 border-r max-md:hidden">
        <Skeleton lines={9} />
      </div>
      <div className="flex-1">
        <Skeleton lines={14} />
      </div>
    </div>
  );
}

/** The tab Changes: review, comment, ship, undo. */
export default function ChangesTab({ run }: TabProps) {
  const changes = useQuery(changesQuery(run.id));
  const branches = useQuery({ ...branchesQuery(run.project_id), retry: false }).data;
  const calls = useShipCalls(run);
  const entries = useMemo(() => (changes.data ? entriesOf(changes.data) : []), [changes.data]);
  const can = canShip({
    run,
    branches,
    filesChanged: entries.length,
    leftOut: changes.data?.left_out.length ?? 0,
    uncommitted: changes.data?.repos.some((repo) => repo.uncommitted) === true,
  });
  // The query itself catches up on what happened while this tab was closed; a run that gets its
  // worktree later has changes from then on.
  const { refetch } = changes;
  const ready = run.repos.every((repo) => repo.worktree !== null);
  const wasReady = useRef(ready);
  useEffect(() => {
    if (ready && !wasReady.current) void refetch();
    wasReady.current = ready;
  }, [ready, refetch]);
  const body = () => {
    if (changes.isPending) return <Loading />;
    if (changes.isError && !changes.data) {
      return (
        <>
          <Failed error={changes.error} retry={() => void changes.refetch()} />
          {changes.error instanceof CallError && changes.error.status === 409 && (
            <p className="px-4 text-muted">
              Changes are read from the repository itself. Put it back in place, then try again.
            </p>
          )}
        </>
      );
    }
    if (entries.length === 0) {
      return (
        <Empty title="No changes yet">
          {changes.data.left_out.length > 0
            ? "Everything that can be read is unchanged since the run started."
            : run.status === "running" || run.status === "queued"
              ? "What the agent adds, edits or deletes appears here while it works."
              : "The files are unchanged since the run started."}
        </Empty>
      );
    }
    return <Panes run={run} entries={entries} />;
  };
  return (
    <div className="flex h-full min-h-0 flex-col">
      <ShipBar run={run} can={can} calls={calls} />
      <Timeline run={run} can={can} calls={calls} />
      <LeftOutNote all={changes.data?.left_out ?? NONE} severalRepos={run.repos.length > 1} />
      <div className="flex min-h-0 flex-1 flex-col">{body()}</div>
    </div>
  );
}
