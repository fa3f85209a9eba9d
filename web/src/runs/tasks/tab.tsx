import { useQuery } from "@tanstack/react-query";
import { clsx } from "clsx";
import type { Task } from "@/api/client";
import { tasksQuery } from "@/api/queries";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import type { TabProps } from "../run-page";

const STATES: Record<string, { sign: string; word: string; colour: string }> = {
  pending: { sign: "○", word: "To do", colour: "text-muted" },
  in_progress: { sign: "●", word: "In progress", colour: "text-busy" },
  completed: { sign: "✓", word: "Done", colour: "text-good" },
};

function Item({ task }: { task: Task }) {
  // A status that this build does not know is shown by its name.
  const state = STATES[task.status] ?? { sign: "·", word: task.status, colour: "text-muted" };
  const done = task.status === "completed";
  return (
    <li className="flex gap-2 border-b py-2 last:border-b-0">
      <span aria-hidden className={clsx("w-4 shrink-0 text-center", state.colour)}>
        {state.sign}
      </span>
      <div className="min-w-0 flex-1">
        <p className={clsx("break-words", done ? "text-muted" : "font-medium")}>{task.subject}</p>
        {task.description !== "" && task.description !== task.subject && (
          <p className="mt-0.5 max-w-prose break-words whitespace-pre-wrap text-muted">
            {task.description}
          </p>
        )}
      </div>
      <span className={clsx("shrink-0 text-xs leading-5", state.colour)}>{state.word}</span>
    </li>
  );
}

function Progress({ done, all }: { done: number; all: number }) {
  return (
    <div className="flex items-center gap-3 py-2">
      <div
        role="progressbar"
        aria-label="Tasks done"
        aria-valuemin={0}
        aria-valuemax={all}
        aria-valuenow={done}
        aria-valuetext={`${done} of ${all}`}
        className="h-1.5 flex-1 overflow-hidden rounded-full bg-hover"
      >
        <div className="h-full bg-good" style={{ width: `${(100 * done) / all}%` }} />
      </div>
      <span className="text-muted">
        {done} of {all}
      </span>
    </div>
  );
}

/** The tab Tasks: the agent's own task list. */
export default function TasksTab({ run }: TabProps) {
  const tasks = useQuery(tasksQuery(run.id));
  if (tasks.isPending) return <Skeleton lines={4} />;
  if (tasks.isError) return <Failed error={tasks.error} retry={() => void tasks.refetch()} />;
  if (tasks.data.length === 0) {
    return (
      <Empty title="No tasks">
        The agent has not made a task list. If it plans its work in steps, they appear here.
      </Empty>
    );
  }
  const done = tasks.data.filter((task) => task.status === "completed").length;
  return (
    <div className="h-full overflow-y-auto px-4 py-2">
      <div className="max-w-3xl">
        <Progress done={done} all={tasks.data.length} />
        <ol aria-label="Tasks">
          {tasks.data.map((task) => (
            <Item key={task.id} task={task} />
          ))}
        </ol>
      </div>
    </div>
  );
}
