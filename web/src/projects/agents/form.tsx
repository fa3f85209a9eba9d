import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Agent } from "@/api/client";
import { modelsQuery } from "@/api/queries";
import { Button } from "@/ui/button";
import { Field, Input, Select, TextArea } from "@/ui/field";
import { useSetupCalls } from "../calls";
import { FormRefusal, useForm } from "../use-form";
import { Approvals } from "./approvals";
import { Choice } from "./choice";
import { InstallHint } from "./cli";
import { draftOf, faultsOf, fieldsOf, takesAnswers, type AgentDraft } from "./draft";
import { Started } from "./started";
import { ArgumentRows } from "./rows";

export const FIELDS = [
  "name",
  "cli_name",
  "model",
  "instructions",
  "allowed_tools",
  "max_turns",
  "role",
  "provider_config.mode",
  "provider_config.bin",
  "provider_config.args",
  "provider_config.command",
  "provider_config.env",
  "provider_config.approvals",
  "provider_config.approval_minutes",
] as const;

const ROLES = [
  { value: "builder", label: "builder: changes files" },
  { value: "reviewer", label: "reviewer: reads and reports" },
  { value: "planner", label: "planner" },
];

interface Props {
  projectId: string;
  /** The agent to edit; a new one without it. */
  agent?: Agent;
  initial: AgentDraft;
  onSaved: (agent: Agent) => void;
  onCancel?: () => void;
  onDirty?: (dirty: boolean) => void;
}

/** All fields of an agent. Errors from the server appear at their field. */
export function AgentForm({ projectId, agent, initial, onSaved, onCancel, onDirty }: Props) {
  const calls = useSetupCalls();
  const providers = useQuery(modelsQuery()).data?.providers ?? [];
  const { form, busy, refusals, refuse, send } = useForm(FIELDS);
  const [draft, setDraft] = useState(initial);
  const change = (part: Partial<AgentDraft>) => {
    setDraft({ ...draft, ...part });
    onDirty?.(true);
  };
  const provider = providers.find((known) => known.id === draft.cli_name);
  const clis = providers.filter((known) => known.enabled || known.id === draft.cli_name);
  const ownProgram = draft.cli_name === "command";
  const scripted = draft.cli_name === "demo";

  const save = async () => {
    const stored = agent ? draftOf(agent).env.map((row) => row.name) : [];
    const faults = faultsOf(draft, stored);
    if (Object.keys(faults).length > 0) {
      refuse(faults);
      return;
    }
    let saved: Agent | undefined;
    const fine = await send(async () => {
      const fields = fieldsOf(draft);
      saved = agent
        ? await calls.changeAgent(agent, fields)
        : await calls.createAgent(projectId, fields);
    });
    if (fine && saved) onSaved(saved);
  };

  return (
    <form
      ref={form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <Field label="Name" error={refusals["name"]}>
        {(ids) => (
          <Input
            {...ids}
            value={draft.name}
            onChange={(event) => change({ name: event.target.value })}
          />
        )}
      </Field>
      <div className="mt-3 grid gap-x-3 gap-y-3 sm:grid-cols-2">
        <div>
          <Field label="CLI" error={refusals["cli_name"]}>
            {(ids) => (
              <Select
                {...ids}
                value={draft.cli_name}
                onChange={(event) => change({ cli_name: event.target.value, model: "" })}
              >
                {clis.length === 0 && <option value={draft.cli_name}>{draft.cli_name}</option>}
                {clis.map((known) => (
                  <option key={known.id} value={known.id}>
                    {known.label}
                    {known.installed ? ` · ${known.version ?? "installed"}` : " · not installed"}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        </div>
        <div>
          <Field label="Model" error={refusals["model"]}>
            {(ids) => (
              <Choice
                {...ids}
                key={draft.cli_name}
                otherLabel="Model name"
                placeholder="as the CLI expects it"
                value={draft.model}
                onChange={(model) => change({ model })}
                choices={[
                  {
                    value: "",
                    label: provider?.default_model
                      ? `default (${provider.default_model})`
                      : "CLI default",
                  },
                  ...(provider?.models ?? []).map(({ id, label }) => ({ value: id, label })),
                ]}
              />
            )}
          </Field>
        </div>
      </div>
      {draft.bin === "" && <InstallHint provider={provider} />}
      {scripted && (
        <p className="mt-2 text-muted">
          The demo agent follows a script: it needs no model, costs nothing, and changes a file or
          two in its worktree.
        </p>
      )}
      {ownProgram && (
        <fieldset className="mt-3">
          <legend className="mb-1 font-medium">Command</legend>
          <ArgumentRows
            label="Command"
            rows={draft.command}
            onChange={(command) => change({ command })}
          />
          <p
            className={`mt-1 text-xs ${refusals["provider_config.command"] ? "text-bad" : "text-muted"}`}
          >
            {refusals["provider_config.command"] ??
              "The program, then its arguments; no shell runs them. {task}, {model}, {worktree} and {session_id} are replaced."}
          </p>
        </fieldset>
      )}
      <Field
        label="Instructions"
        error={refusals["instructions"]}
        hint="Added to the CLI's own instructions in every run of this agent."
      >
        {(ids) => (
          <TextArea
            {...ids}
            className="min-h-32"
            value={draft.instructions}
            onChange={(event) => change({ instructions: event.target.value })}
          />
        )}
      </Field>
      <div className="mt-3 grid gap-x-3 gap-y-3 sm:grid-cols-[1fr_1fr_6rem]">
        <div>
          <Field label="Role" error={refusals["role"]}>
            {(ids) => (
              <Choice
                {...ids}
                otherLabel="Role name"
                value={draft.role}
                onChange={(role) => change({ role })}
                choices={ROLES}
              />
            )}
          </Field>
        </div>
        <div>
          <Field
            label="Allowed tools"
            error={refusals["allowed_tools"]}
            hint="Used without asking. Separate with commas."
          >
            {(ids) => (
              <Input
                {...ids}
                spellCheck={false}
                value={draft.allowed_tools}
                onChange={(event) => change({ allowed_tools: event.target.value })}
              />
            )}
          </Field>
        </div>
        <div>
          <Field label="Maximum turns" error={refusals["max_turns"]}>
            {(ids) => (
              <Input
                {...ids}
                inputMode="numeric"
                value={draft.max_turns}
                onChange={(event) => change({ max_turns: event.target.value })}
              />
            )}
          </Field>
        </div>
      </div>
      {takesAnswers(draft.cli_name) && (
        <Approvals draft={draft} change={change} refusals={refusals} />
      )}
      <Started
        draft={draft}
        change={change}
        refusals={refusals}
        hasModes={!ownProgram && !scripted}
      />
      <FormRefusal refusals={refusals} />
      <div className="mt-4 flex justify-end gap-2">
        {onCancel && <Button onClick={onCancel}>Cancel</Button>}
        <Button type="submit" kind="primary" busy={busy}>
          {agent ? "Save agent" : "Create agent"}
        </Button>
      </div>
    </form>
  );
}
