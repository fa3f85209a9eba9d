import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Agent, Run } from "@/api/client";
import { runQuery } from "@/api/queries";
import { costOf, count, exact, firstLine } from "@/lib/format";
import { Copyable } from "@/ui/copy";
import type { Created } from "./queries";

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[7.5rem_1fr] gap-x-3 py-0.5">
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="min-w-0">
      <h2 className="mb-1 text-xs font-semibold tracking-wide text-muted uppercase">{title}</h2>
      <dl>{children}</dl>
    </section>
  );
}

function Long({ text }: { text: string }) {
  if (text.trim() === "") return <span className="text-muted">none</span>;
  const first = firstLine(text);
  if (text.trim() === first && first.length < 90) return text;
  return (
    <details>
      <summary className="cursor-pointer truncate">{first}</summary>
      <pre className="mt-1 max-h-80 overflow-auto rounded bg-sunken p-2 font-mono text-xs whitespace-pre-wrap">
        {text}
      </pre>
    </details>
  );
}

function Parent({ id }: { id: string }) {
  const parent = useQuery({ ...runQuery(id), retry: false });
  if (parent.isError) return <span className="text-muted">{id}, deleted</span>;
  return (
    <Link
      to="/runs/$runId/$tab"
      params={{ runId: id, tab: "details" }}
      className="text-accent underline"
    >
      {parent.data ? firstLine(parent.data.task) : id}
    </Link>
  );
}

/** Keys of provider_config with their own line. */
const SHOWN = new Set(["env", "bin", "args", "mode", "command"]);

/** The agent as it was when the run was created. Values of its environment are never shown. */
export function AgentFacts({ created }: { created: Created }) {
  const { agent, set_up: setUp } = created;
  const config: Agent["provider_config"] = agent.provider_config;
  const env = Object.keys((config["env"] as object | undefined) ?? {});
  const argv = (key: string) =>
    Array.isArray(config[key]) && config[key].length > 0 ? (
      <code className="font-mono text-xs">{config[key].map(String).join(" ")}</code>
    ) : null;
  const command = argv("command");
  const args = argv("args");
  const rest = Object.entries(config).filter(([key]) => !SHOWN.has(key));
  return (
    <Part title="Agent, as it was when the run started">
      <Line name="Name">{agent.name}</Line>
      <Line name="CLI">{agent.cli_name}</Line>
      <Line name="Model">{agent.model ?? <span className="text-muted">CLI default</span>}</Line>
      <Line name="Role">{agent.role}</Line>
      <Line name="Instructions">
        <Long text={agent.instructions} />
      </Line>
      <Line name="Allowed tools">{agent.allowed_tools.split(",").join(", ")}</Line>
      <Line name="Max turns">{agent.max_turns}</Line>
      <Line name="Mode">{String(config["mode"] ?? "interactive")}</Line>
      {config["bin"] !== undefined && (
        <Line name="Program">
          <code className="font-mono text-xs">{String(config["bin"])}</code>
        </Line>
      )}
      {command && <Line name="Command">{command}</Line>}
      {args && <Line name="Arguments">{args}</Line>}
      <Line name="Environment">
        {env.length === 0 ? (
          <span className="text-muted">none</span>
        ) : (
          <code className="font-mono text-xs">{env.join(", ")}</code>
        )}
      </Line>
      {rest.map(([key, value]) => (
        <Line key={key} name={key}>
          <code className="font-mono text-xs">{JSON.stringify(value)}</code>
        </Line>
      ))}
      {setUp && setUp.setup_script !== "" && (
        <Line name="Set-up script">
          <Long text={setUp.setup_script} />
        </Line>
      )}
      {setUp && setUp.copy_files.length > 0 && (
        <Line name="Copied files">{setUp.copy_files.join(", ")}</Line>
      )}
    </Part>
  );
}

export function RunFacts({ run }: { run: Run }) {
  const { process } = run;
  return (
    <>
      <Part title="Run">
        <Line name="Id">
          <Copyable text={run.id} what="the run's id" />
        </Line>
        <Line name="Session">
          {run.session_id === null ? (
            <span className="text-muted">not reported</span>
          ) : (
            <Copyable text={run.session_id} what="the session id" />
          )}
        </Line>
        <Line name="Created">{exact(run.created_at)}</Line>
        <Line name="Model">{run.model ?? <span className="text-muted">not reported</span>}</Line>
        <Line name="Branch">
          <Copyable text={run.run_branch} what="the branch" />
        </Line>
        <Line name="From">{run.source_branch}</Line>
        <Line name="Process">
          {process.alive ? `running, pid ${process.pid}` : "none"}
          {process.exit_code != null && `, ended with code ${process.exit_code}`}
        </Line>
        <Line name="Tokens">
          {count(run.tokens_in)} in, {count(run.tokens_out)} out, {count(run.tokens_cache_read)}{" "}
          read from and {count(run.tokens_cache_write)} written to the cache
        </Line>
        <Line name="Cost">{costOf(run.cost)}</Line>
        <Line name="Queue">
          {run.queue.length === 0 ? "empty" : `${run.queue.length} waiting`}
          {run.queue.halted && `; not sent: ${run.queue.halted}`}
        </Line>
        {run.parent_run_id != null && (
          <Line name="Parent run">
            <Parent id={run.parent_run_id} />
          </Line>
        )}
      </Part>
      {run.repos.map((repo) => (
        <Part key={repo.repo_id} title={`Repository ${repo.name}`}>
          <Line name="Worktree">
            {repo.worktree ? (
              <Copyable text={repo.worktree} what={`the worktree's path of ${repo.name}`} />
            ) : (
              <span className="text-muted">removed</span>
            )}
          </Line>
          <Line name="Repository">
            <Copyable text={repo.repo_path} what={`the path of ${repo.name}`} />
          </Line>
          {repo.branch !== run.run_branch && (
            <Line name="Branch">
              <Copyable text={repo.branch} what={`the branch of ${repo.name}`} />
            </Line>
          )}
          <Line name="Base commit">
            <Copyable text={repo.base_commit} what={`the base commit of ${repo.name}`} />
          </Line>
        </Part>
      ))}
    </>
  );
}
