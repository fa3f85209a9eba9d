import { clsx } from "clsx";
import { ChevronDown, ChevronRight } from "lucide-react";
import { useMemo, useState, type CSSProperties } from "react";
import type { Changes, FileChange, Run } from "@/api/client";
import { Button } from "@/ui/button";
import { Skeleton } from "@/ui/panes";
import { fileRows, sameInAll, type FileRow } from "./compare-files";
import { DiffText } from "./diff-text";

/** Files shown until the user asks for the rest. */
const ROWS_MAX = 300;

function Counts({ file }: { file: FileChange | undefined }) {
  if (!file) return <span className="text-muted">—</span>;
  return (
    <span className="font-mono text-xs">
      <span className="text-muted">{file.status} </span>
      {file.binary ? (
        "binary"
      ) : (
        <>
          <span className="text-good">+{file.insertions}</span>{" "}
          <span className="text-bad">−{file.deletions}</span>
        </>
      )}
    </span>
  );
}

interface Props {
  runs: Run[];
  /** Per run; undefined while loading or after a failure. */
  changes: (Changes | undefined)[];
  failures: (string | undefined)[];
  columns: CSSProperties;
}

interface RowProps {
  row: FileRow;
  runs: Run[];
  columns: CSSProperties;
  alone: boolean;
  open: boolean;
  onToggle: () => void;
}

function Row({ row, runs, columns, alone, open, onToggle }: RowProps) {
  return (
    <li className="border-b">
      <button
        type="button"
        aria-expanded={open}
        onClick={onToggle}
        className="sticky left-0 flex max-w-[calc(100vw-5rem)] items-center gap-1 px-3 pt-1.5 text-left hover:underline"
      >
        {open ? <ChevronDown size={14} aria-hidden /> : <ChevronRight size={14} aria-hidden />}
        <span className="font-mono text-xs break-all">
          {!alone && <span className="text-muted">{row.repo}/</span>}
          {row.path}
        </span>
        {sameInAll(row) && <span className="text-xs text-muted">same in all</span>}
      </button>
      <div className="grid" style={columns}>
        {row.files.map((file, at) => (
          <div key={runs[at]?.id} className={clsx("min-w-0 pb-1", at > 0 && open && "border-l")}>
            <span className="block px-8">
              <Counts file={file} />
            </span>
            {open && <DiffText file={file} />}
          </div>
        ))}
      </div>
    </li>
  );
}

/** The files of all attempts, one row each; an open row shows each attempt's change. */
export function ComparedFiles({ runs, changes, failures, columns }: Props) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [all, setAll] = useState(false);
  const rows = useMemo(() => fileRows(changes), [changes]);
  const pending = changes.some((change, at) => !change && failures[at] === undefined);
  const alone = new Set(rows.map(({ repo }) => repo)).size < 2;
  const toggle = (key: string) => {
    const next = new Set(open);
    if (!next.delete(key)) next.add(key);
    setOpen(next);
  };
  return (
    <section aria-label="Files" style={{ minWidth: columns.minWidth }}>
      {failures.map(
        (failure, at) =>
          failure !== undefined && (
            <p key={runs[at]?.id} role="alert" className="px-3 py-2 text-bad">
              Could not read the changes of attempt {at + 1}: {failure}
            </p>
          ),
      )}
      {rows.length === 0 &&
        (pending ? (
          <Skeleton />
        ) : (
          <p className="px-4 py-6 text-muted">No attempt has changed a file yet.</p>
        ))}
      <ul>
        {(all ? rows : rows.slice(0, ROWS_MAX)).map((row) => {
          const key = `${row.repo}/${row.path}`;
          return (
            <Row
              key={key}
              row={row}
              runs={runs}
              columns={columns}
              alone={alone}
              open={open.has(key)}
              onToggle={() => toggle(key)}
            />
          );
        })}
      </ul>
      {!all && rows.length > ROWS_MAX && (
        <Button className="m-3" onClick={() => setAll(true)}>
          Show all {rows.length} files
        </Button>
      )}
    </section>
  );
}
