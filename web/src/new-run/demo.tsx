import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { Project } from "@/api/client";
import { agentsQuery } from "@/api/queries";
import { BLANK, fieldsOf } from "@/projects/agents/draft";
import { setupCalls } from "@/projects/calls";
import { repoName } from "@/projects/repos/name";
import { PathField } from "@/projects/repos/path-field";
import { FormRefusal, useForm } from "@/projects/use-form";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Select } from "@/ui/field";
import { newKey } from "./attempts";
import { startRun } from "./start";

const NEW = "";

/** A scripted run that shows how everything works: no CLI, no model, no costs. */
export function DemoDialog({ projects, onClose }: { projects: Project[]; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const fit = projects.filter((project) => project.repos.length > 0);
  const [chosen, setChosen] = useState(fit[0]?.id ?? NEW);
  const [path, setPath] = useState("");
  const { form, busy, refusals, send } = useForm(["repo_path"]);
  const [key] = useState(newKey);

  const go = () =>
    send(async () => {
      const calls = setupCalls(client);
      const where = path.replace(/(.)\/+$/, "$1");
      const project =
        fit.find((known) => known.id === chosen) ??
        (await calls.createProjectWithRepo("Demo", repoName(where) || "repo", where));
      if (chosen === NEW) setChosen(project.id); // a second try finds it and creates no other
      const agents = await client.fetchQuery({ ...agentsQuery(project.id), staleTime: 0 });
      const agent =
        agents.find((known) => known.cli_name === "demo") ??
        (await calls.createAgent(
          project.id,
          fieldsOf({ ...BLANK, name: "Demo agent", cli_name: "demo" }),
        ));
      const body = { agent_id: agent.id, task: "Write a greeting" };
      const run = await startRun(client, body, key);
      void navigate({ to: "/runs/$runId/$tab", params: { runId: run.id, tab: "terminal" } });
    });

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Try the demo agent"
      description="The demo agent follows a script: it writes a greeting in its own worktree, on its own branch. It calls no model and costs nothing. Your checkout is not touched."
    >
      <form
        ref={form}
        className="mt-3"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        {fit.length > 0 && (
          <Field label="Repository">
            {(ids) => (
              <Select {...ids} value={chosen} onChange={(event) => setChosen(event.target.value)}>
                {fit.map((project) => (
                  <option key={project.id} value={project.id}>
                    Project {project.name}
                  </option>
                ))}
                <option value={NEW}>Another repository…</option>
              </Select>
            )}
          </Field>
        )}
        {chosen === NEW && (
          <div className="mt-3">
            <PathField value={path} onChange={setPath} error={refusals["repo_path"]} />
            <p className="mt-2 text-muted">
              This creates a project named “Demo” with one agent. Delete it when you are done.
            </p>
          </div>
        )}
        <FormRefusal refusals={refusals} />
        <Button
          type="submit"
          kind="primary"
          className="mt-4"
          busy={busy}
          disabled={chosen === NEW && path === ""}
        >
          Start demo run
        </Button>
      </form>
    </Dialog>
  );
}
