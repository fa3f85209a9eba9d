import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { History, Play } from "lucide-react";
import { useState, type KeyboardEvent } from "react";
import type { Agent, Project } from "@/api/client";
import { branchesQuery, modelsQuery, runsQuery } from "@/api/queries";
import { store, stored, useStored } from "@/lib/stored";
import { Choice } from "@/projects/agents/choice";
import { Button } from "@/ui/button";
import { Check, Field, TextArea } from "@/ui/field";
import { AgentChoice } from "./agent-choice";
import { attemptsOf, begun, sendAll, totalOf, type Attempt, type Wanted } from "./attempts";
import { commonBranches, usualAgent } from "./choices";
import { Outcomes } from "./outcomes";
import { PastTasks } from "./past-tasks";
import { startRun } from "./start";

/** Storage key of the draft task. */
const DRAFT = "draft.new-run";

/** The task, its agents, and where to start from. Ctrl or Cmd with Enter submits. */
export function RunForm(props: { project: Project; agents: Agent[]; task?: string }) {
  const { project, agents } = props;
  const client = useQueryClient();
  const navigate = useNavigate();
  const runs = useQuery(runsQuery()).data ?? [];
  const providers = useQuery(modelsQuery()).data?.providers ?? [];
  const branches = useQuery({ ...branchesQuery(project.id), refetchOnMount: "always" });
  const [task, setTask] = useState(props.task ?? stored(DRAFT) ?? "");
  const [source, setSource] = useState("HEAD");
  const [notify, setNotify] = useStored<"yes" | "no">("new-run.notify", "no");
  const [choice, setChoice] = useState<Wanted | null>(null);
  const [picking, setPicking] = useState(false);
  const [attempts, setAttempts] = useState<Attempt[]>([]);
  const [busy, setBusy] = useState(false);

  const ids = agents.map((agent) => agent.id);
  const usual = usualAgent(ids, runs, project.id);
  const wanted = choice ?? (usual === undefined ? {} : { [usual]: 1 });
  const total = totalOf(wanted);
  const ready = task.trim() !== "" && total > 0 && source.trim() !== "";

  // Another task, source or choice is another set of calls: drop the outcomes of the last one.
  const edited =
    <T,>(set: (value: T) => void) =>
    (value: T) => {
      set(value);
      setAttempts([]);
    };
  const changeTask = edited((next: string) => {
    setTask(next);
    store(DRAFT, next || null);
  });

  const open = (runIds: string[]) => {
    store(DRAFT, null);
    const [first] = runIds;
    if (first === undefined) return;
    if (runIds.length > 1) {
      void navigate({ to: "/compare", search: { runs: runIds.join(",") } });
    } else {
      void navigate({ to: "/runs/$runId/$tab", params: { runId: first, tab: "terminal" } });
    }
  };
  const start = async () => {
    if (!ready || busy) return;
    setBusy(true);
    const sent = attempts.length > 0 ? attempts : attemptsOf(wanted, ids);
    const outcome = await sendAll(sent, ({ agentId, key }) =>
      startRun(
        client,
        { agent_id: agentId, task, source_branch: source.trim(), notify: notify === "yes" },
        key,
      ),
    );
    setBusy(false);
    const runIds = begun(outcome);
    if (runIds.length === outcome.length) open(runIds);
    else setAttempts(outcome);
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void start();
    }
  };

  return (
    <form
      className="mt-3"
      onKeyDown={key}
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <div className="relative">
        <Field label="Task">
          {(field) => (
            <TextArea
              {...field}
              autoFocus
              className="field-sizing-content max-h-[50vh] min-h-32 text-base"
              placeholder="Describe what to do and how to check it"
              value={task}
              onChange={(event) => changeTask(event.target.value)}
            />
          )}
        </Field>
        {runs.length > 0 && (
          <Button
            kind="quiet"
            className="!absolute -top-1.5 right-0"
            icon={<History size={14} />}
            onClick={() => setPicking(true)}
          >
            Past tasks
          </Button>
        )}
      </div>
      <AgentChoice
        agents={agents}
        providers={providers}
        wanted={wanted}
        onChange={edited(setChoice)}
      />
      <p className="mt-1 text-xs text-muted">
        <Link
          to="/projects/$projectId/$tab"
          params={{ projectId: project.id, tab: "agents" }}
          className="underline"
        >
          Edit this project's agents
        </Link>
      </p>
      <Field
        label="Start from"
        hint="A branch, tag or commit that exists in every repository of the project."
      >
        {(field) => (
          <Choice
            {...field}
            otherLabel="Branch, tag or commit"
            placeholder="v1.2, 3fa9c01…"
            value={source}
            onChange={edited(setSource)}
            choices={[
              { value: "HEAD", label: "HEAD: what your checkout is at now" },
              ...commonBranches(branches.data ?? [], project).map((name) => ({
                value: name,
                label: name,
              })),
            ]}
          />
        )}
      </Field>
      {branches.isError && <p className="mt-1 text-xs text-bad">{branches.error.message}</p>}
      <div className="mt-2">
        <Check
          label="Notify me when it goes idle or ends"
          checked={notify === "yes"}
          onChange={(event) => edited(setNotify)(event.target.checked ? "yes" : "no")}
        />
      </div>
      <Outcomes attempts={attempts} agents={agents} onOpen={open} />
      <div className="mt-4 flex items-center gap-3">
        <Button
          type="submit"
          kind="primary"
          icon={<Play size={14} />}
          busy={busy}
          disabled={!ready}
        >
          {attempts.length > 0
            ? "Retry what failed"
            : total > 1
              ? `Start ${total} runs`
              : "Start run"}
        </Button>
        <span className="text-xs text-muted max-md:hidden">
          <kbd>Ctrl</kbd> or <kbd>⌘</kbd> + <kbd>Enter</kbd>
        </span>
      </div>
      {picking && (
        <PastTasks
          runs={runs}
          projectId={project.id}
          onPick={(picked) => {
            changeTask(picked);
            setPicking(false);
          }}
          onClose={() => setPicking(false)}
        />
      )}
    </form>
  );
}
