// The lines of one file. Large, so it is loaded with the first diff.
import "@git-diff-view/react/styles/diff-view-pure.css";
import "./diff.css";
import { DiffModeEnum, DiffView, SplitSide } from "@git-diff-view/react";
import {
  Component,
  useMemo,
  useRef,
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
} from "react";
import { useDark } from "@/lib/theme";
import type { Place, Side } from "./comments";
import type { Entry } from "./entries";
import { useReviewOfRun } from "./review";
import { Thread } from "./thread";

interface Props {
  entry: Entry;
  /** The patch to show: the file's, or a part of it. */
  patch: string;
  /** The patch is complete, so that the lines around it can be shown too. */
  whole: boolean;
  split: boolean;
}

const LINES = 'tr[data-state="diff"], tr[data-state="plain"]';

/** Side and number of the line that a row, or part of one, shows. */
function lineOf(row: Element, prefer: Side): { side: Side; line: number } | null {
  const number = (side: Side) => {
    const at = row.querySelector(`[data-line-${side}-num], .diff-line-${side}-num [data-line-num]`);
    return Number(at?.getAttribute(`data-line-${side}-num`) ?? at?.getAttribute("data-line-num"));
  };
  const other: Side = prefer === "new" ? "old" : "new";
  for (const side of [prefer, other]) {
    const line = number(side);
    if (line > 0) return { side, line };
  }
  return null;
}

/** A patch that the view cannot read is shown as it is. */
class Plain extends Component<{ patch: string; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError() {
    return { failed: true };
  }
  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <pre className="overflow-x-auto p-2 font-mono text-xs whitespace-pre-wrap">
        {this.props.patch}
      </pre>
    );
  }
}

export default function Diff({ entry, patch, whole, split }: Props) {
  const dark = useDark();
  const review = useReviewOfRun();
  const area = useRef<HTMLDivElement>(null);
  const { key, file } = entry;
  const data = useMemo(
    () => ({
      oldFile: { fileName: file.old_path ?? file.path, content: whole ? file.old_content : null },
      newFile: { fileName: file.path, content: whole ? file.new_content : null },
      hunks: [patch],
    }),
    [file, patch, whole],
  );
  const places = [
    ...review.comments.filter((at) => at.key === key),
    ...(review.editing?.key === key ? [review.editing] : []),
  ]
    .map(({ side, line }) => `${side} ${line}`)
    .sort()
    .join();
  const threads = useMemo(() => {
    const sides = { oldFile: {}, newFile: {} } as Record<
      "oldFile" | "newFile",
      Record<string, { data: true }>
    >;
    for (const place of places ? places.split(",") : []) {
      const [side, line = ""] = place.split(" ");
      sides[side === "old" ? "oldFile" : "newFile"][line] = { data: true };
    }
    return sides;
  }, [places]);

  const open = (at: Omit<Place, "key"> | null) => {
    if (at) review.open({ ...at, key });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = event.target instanceof HTMLElement ? event.target : null;
    const onLine = row?.matches(LINES) === true;
    if (!onLine && row !== area.current) return;
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (step !== undefined) {
      const rows = [...(area.current?.querySelectorAll<HTMLElement>(LINES) ?? [])];
      const next = rows[onLine && row ? rows.indexOf(row) + step : 0];
      if (next) {
        next.tabIndex = -1;
        next.focus();
      }
    } else if (onLine && (event.key === "Enter" || event.key.toLowerCase() === "m")) {
      open(lineOf(row, event.shiftKey ? "old" : "new"));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onClick = (event: MouseEvent) => {
    const cell = event.target instanceof Element ? event.target.closest("td") : null;
    if (!cell?.className.includes("diff-line") || !/-num\b/.test(cell.className)) return;
    const row = cell.closest(LINES);
    if (row) open(lineOf(row, cell.className.includes("old-num") ? "old" : "new"));
  };
  return (
    <Plain key={patch} patch={patch}>
      <div
        ref={area}
        role="group"
        tabIndex={0}
        aria-label={`Lines of ${file.path}. Use the arrow keys to move between lines, M to comment, and Shift M to comment on the old side.`}
        className="changes-diff overflow-x-auto"
        onKeyDown={onKeyDown}
        onClick={onClick}
      >
        <DiffView<true>
          data={data}
          extendData={threads}
          diffViewMode={split ? DiffModeEnum.SplitGitHub : DiffModeEnum.Unified}
          diffViewTheme={dark ? "dark" : "light"}
          diffViewHighlight
          diffViewWrap
          diffViewAddWidget
          diffViewFontSize={12}
          onAddWidgetClick={(line, side) =>
            open({ side: side === SplitSide.old ? "old" : "new", line })
          }
          renderExtendLine={({ side, lineNumber }) => (
            <Thread
              entry={entry}
              place={{ key, side: side === SplitSide.old ? "old" : "new", line: lineNumber }}
            />
          )}
        />
      </div>
    </Plain>
  );
}
