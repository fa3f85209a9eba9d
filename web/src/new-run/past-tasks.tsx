import { useMemo, useState } from "react";
import type { Run } from "@/api/client";
import { Dialog } from "@/ui/dialog";
import { Input } from "@/ui/field";
import { pastTasks } from "./choices";

/** Tasks shown at once. */
const SHOWN = 50;

interface Props {
  runs: Run[];
  projectId: string;
  onPick: (task: string) => void;
  onClose: () => void;
}

/** Tasks of past runs, to be reused. */
export function PastTasks({ runs, projectId, onPick, onClose }: Props) {
  const [filter, setFilter] = useState("");
  const tasks = useMemo(() => pastTasks(runs, projectId), [runs, projectId]);
  const found = tasks.filter((task) => task.toLowerCase().includes(filter.toLowerCase()));
  return (
    <Dialog open wide onOpenChange={(open) => !open && onClose()} title="Past tasks">
      <Input
        type="search"
        autoFocus
        aria-label="Filter past tasks"
        placeholder="Filter"
        value={filter}
        onChange={(event) => setFilter(event.target.value)}
        onKeyDown={(event) => {
          const first = found[0];
          if (event.key === "Enter" && first !== undefined) {
            event.preventDefault();
            onPick(first);
          }
        }}
      />
      <ul className="mt-2">
        {found.slice(0, SHOWN).map((task) => (
          <li key={task}>
            <button
              type="button"
              className="w-full rounded px-2 py-1.5 text-left hover:bg-hover"
              onClick={() => onPick(task)}
            >
              <span className="line-clamp-3 break-words whitespace-pre-wrap">{task}</span>
            </button>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="p-2 text-muted">No task matches.</p>}
      {found.length > SHOWN && (
        <p className="p-2 text-muted">{found.length - SHOWN} more; type to narrow the list.</p>
      )}
    </Dialog>
  );
}
