import { Link } from "@tanstack/react-router";

/** Shown while there are no runs; leads to the first one. */
export function Welcome() {
  return (
    <div className="p-4">
      <h2 className="text-lg font-semibold">No runs yet</h2>
      <p className="mt-1 text-muted">
        A run is one agent working on your repository, in its own worktree and branch.
      </p>
      <ol className="mt-3 list-decimal space-y-1 pl-5">
        <li>
          <Link to="/runs/new" className="text-accent underline">
            Create a project
          </Link>{" "}
          from a repository
        </li>
        <li>Add an agent: Claude Code, Codex or any other program</li>
        <li>
          <Link to="/runs/new" className="text-accent underline">
            Start a run
          </Link>
        </li>
      </ol>
      <p className="mt-4">
        To take a look first,{" "}
        <Link to="/runs/new" search={{ demo: true }} className="text-accent underline">
          try the demo agent
        </Link>
        . It follows a script and needs only a repository.
      </p>
    </div>
  );
}
