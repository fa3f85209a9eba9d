import { Link } from "@tanstack/react-router";
import type { Agent } from "@/api/client";
import { Button } from "@/ui/button";
import { begun, type Attempt } from "./attempts";

interface Props {
  attempts: Attempt[];
  agents: Agent[];
  onOpen: (runIds: string[]) => void;
}

/** The outcome of each attempt when not all started. */
export function Outcomes({ attempts, agents, onOpen }: Props) {
  if (attempts.length === 0) return null;
  const started = begun(attempts);
  return (
    <div role="alert" className="mt-4 rounded-md border border-bad/40 bg-bad-soft p-3">
      <p className="font-medium">
        {started.length === 0
          ? "No run started."
          : `${started.length} of ${attempts.length} started.`}
      </p>
      <ul className="mt-1 space-y-1">
        {attempts.map(({ agentId, key, run, error }) => (
          <li key={key} className="break-words">
            {run ? "✓" : "✗"}{" "}
            <strong>{agents.find((agent) => agent.id === agentId)?.name ?? agentId}</strong>:{" "}
            {run ? (
              <Link
                to="/runs/$runId/$tab"
                params={{ runId: run.id, tab: "terminal" }}
                className="text-accent underline"
              >
                {run.run_branch}
              </Link>
            ) : (
              error
            )}
          </li>
        ))}
      </ul>
      {started.length > 0 && (
        <Button className="mt-2" onClick={() => onOpen(started)}>
          {started.length === 1 ? "Open the run that started" : "Compare the runs that started"}
        </Button>
      )}
    </div>
  );
}
