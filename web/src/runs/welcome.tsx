import { Link } from "@tanstack/react-router";

/** The first look at an empty installation: it leads to the first run. */
export function Welcome() {
  return (
    <div className="p-4">
      <h2 className="text-lg font-semibold">No runs yet</h2>
      <p className="mt-1 text-muted">
        A run is one agent at work on your repository, in a worktree and branch of its own.
      </p>
      <ol className="mt-3 list-decimal space-y-1 pl-5">
        <li>
          <Link to="/runs/new" className="text-accent underline">
            Make a project
          </Link>{" "}
          of a repository
        </li>
        <li>Give it an agent: Claude Code, Codex, any program</li>
        <li>
          <Link to="/runs/new" className="text-accent underline">
            Start a run
          </Link>
        </li>
      </ol>
      <p className="mt-4">
        Or look first:{" "}
        <Link to="/runs/new" search={{ demo: true }} className="text-accent underline">
          Try the demo agent
        </Link>
        . It plays a script and needs nothing but a repository.
      </p>
    </div>
  );
}
