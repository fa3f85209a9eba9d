import { ArrowDownToLine, Download } from "lucide-react";
import { memo, useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from "react";
import { onEvents, useLink } from "@/api/stream";
import { bytes, firstLine } from "@/lib/format";
import { Button } from "@/ui/button";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import type { TabProps } from "../run-page";
import { LogFollower } from "./follower";
import { logAddress, PIECE_BYTES } from "./range";
import { logName, type Block } from "./text";

/** Distance from the end that counts as at the end, in pixels. */
const END_PX = 24;
const LINE_PX = 18;

const Lines = memo(function Lines({ block }: { block: Block }) {
  return (
    <div
      style={{
        contentVisibility: "auto",
        containIntrinsicSize: `auto ${block.lines.length * LINE_PX}px`,
      }}
    >
      {block.lines.join("\n") + "\n"}
    </div>
  );
});

/** The run's terminal output as plain text, which grows while the run works. */
export default function LogsTab({ run }: TabProps) {
  const [follower] = useState(() => new LogFollower(run.id));
  const [follow, setFollow] = useState(true);
  const log = useSyncExternalStore(follower.subscribe, () => follower.state);
  const online = useLink().online;
  const pane = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);

  useEffect(() => {
    if (!follow) return;
    follower.start();
    const stopEvents = onEvents((events) => {
      const started = events.some(
        (event) => event.run_id === run.id && event.event_type === "process.spawned",
      );
      if (started) follower.started();
    });
    return () => {
      stopEvents();
      follower.stop();
    };
  }, [follower, follow, run.id]);
  useEffect(() => {
    if (online) follower.retryNow();
  }, [online, follower]);
  useLayoutEffect(() => {
    if (follow && pane.current) pane.current.scrollTop = pane.current.scrollHeight;
  }, [follow, log]);

  const scrolled = () => {
    const box = pane.current;
    if (!box) return;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < END_PX;
    if (box.scrollTop < lastTop.current && !atEnd) setFollow(false);
    lastTop.current = box.scrollTop;
  };

  const empty = log.blocks.length === 0 && log.current === "";
  if (empty && log.link === "waiting") {
    return (
      <Empty title="No output yet">The CLI has not started. Its output will appear here.</Empty>
    );
  }
  if (empty && log.error) return <Failed error={log.error} />;
  if (empty && log.link === "attaching") return <Skeleton />;
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex min-h-10 flex-wrap items-center gap-2 border-b px-3 py-1">
        <p role="status" className="min-w-0 flex-1 text-muted">
          {log.before > 0
            ? `The last ${bytes(PIECE_BYTES)} of ${bytes(log.total)}`
            : `${bytes(log.total)} of output`}
          {log.link === "away" && <span className="text-warn"> · not connected</span>}
          {log.error && <span className="text-bad"> · {log.error.message}</span>}
        </p>
        <Button
          kind={follow ? "plain" : "quiet"}
          aria-pressed={follow}
          icon={<ArrowDownToLine size={14} className={follow ? "text-accent" : ""} />}
          onClick={() => setFollow(!follow)}
        >
          {follow ? "Following" : "Follow"}
        </Button>
        <a
          href={logAddress(run.id)}
          download={logName(run.run_branch, firstLine(run.task))}
          className="inline-flex h-7 items-center gap-1.5 rounded-md border border-line-strong bg-raised px-2.5 font-medium hover:bg-hover max-md:h-9"
        >
          <Download size={14} aria-hidden />
          {log.before > 0 ? "Download all" : "Download"}
        </a>
      </div>
      {empty ? (
        <Empty title="No output yet">The program has not written anything yet.</Empty>
      ) : (
        <div
          ref={pane}
          role="region"
          aria-label="Output"
          tabIndex={0}
          onScroll={scrolled}
          className="min-h-0 flex-1 overflow-auto px-3 py-2 focus-visible:-outline-offset-2"
        >
          <pre className="font-mono text-xs leading-[18px] break-words whitespace-pre-wrap">
            {log.blocks.map((block) => (
              <Lines key={block.id} block={block} />
            ))}
            {log.current}
          </pre>
        </div>
      )}
    </div>
  );
}
