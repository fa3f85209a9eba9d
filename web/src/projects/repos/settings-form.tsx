import { useState } from "react";
import type { Project } from "@/api/client";
import { Button } from "@/ui/button";
import { Check, Field, Input, TextArea } from "@/ui/field";
import { succeeded } from "@/ui/toast";
import { useSetupCalls } from "../calls";
import { FormRefusal, useForm } from "../use-form";

const TEXTS = ["name", "setup_script", "cleanup_script", "copy_files", "trusted_filters"] as const;
const FIELDS = [...TEXTS, "spare_worktrees"] as const;
const SCRIPT = "min-h-24 font-mono text-xs leading-5";

const lines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** Name of the project, and how its worktrees are set up and cleaned up. */
export function SettingsForm({ project }: { project: Project }) {
  const calls = useSetupCalls();
  const { form, busy, refusals, send } = useForm(FIELDS);
  const known = {
    name: project.name,
    setup_script: project.setup_script,
    cleanup_script: project.cleanup_script,
    copy_files: project.copy_files.join("\n"),
    trusted_filters: project.trusted_filters.join("\n"),
    spare_worktrees: project.spare_worktrees,
  };
  const [draft, setDraft] = useState(known);
  const changed = FIELDS.some((field) => draft[field] !== known[field]);
  const set = (field: (typeof TEXTS)[number]) => (event: { target: { value: string } }) =>
    setDraft({ ...draft, [field]: event.target.value });
  const save = async () => {
    const { trusted_filters: wanted, ...rest } = draft;
    const change = { ...rest, copy_files: lines(draft.copy_files) };
    // Sending them again would trust their current definitions.
    const trust = wanted === known.trusted_filters ? {} : { trusted_filters: lines(wanted) };
    if (!(await send(() => calls.changeProject(project.id, { ...change, ...trust })))) return;
    setDraft({
      ...draft,
      copy_files: change.copy_files.join("\n"),
      trusted_filters: lines(wanted).join("\n"),
    });
    succeeded("Settings saved.");
  };
  const filters = known.trusted_filters;
  const allowAgain = async () => {
    const change = { trusted_filters: lines(filters) };
    if (await send(() => calls.changeProject(project.id, change)))
      succeeded("The filters are allowed as currently defined.");
  };
  return (
    <form
      ref={form}
      className="mt-2"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <Field label="Name" error={refusals["name"]}>
        {(ids) => <Input {...ids} value={draft.name} onChange={set("name")} />}
      </Field>
      <Field
        label="Set-up script"
        error={refusals["setup_script"]}
        hint="Shell script, run in each new worktree before the agent starts. If it fails, the run fails."
      >
        {(ids) => (
          <TextArea
            {...ids}
            className={SCRIPT}
            spellCheck={false}
            placeholder="npm ci"
            value={draft.setup_script}
            onChange={set("setup_script")}
          />
        )}
      </Field>
      <Field
        label="Clean-up script"
        error={refusals["cleanup_script"]}
        hint="Shell script, run in each worktree before it is removed."
      >
        {(ids) => (
          <TextArea
            {...ids}
            className={SCRIPT}
            spellCheck={false}
            placeholder="docker compose down"
            value={draft.cleanup_script}
            onChange={set("cleanup_script")}
          />
        )}
      </Field>
      <Field
        label="Files to copy"
        error={refusals["copy_files"]}
        hint="Globs of ignored files, one per line, to copy from your checkout into each new worktree."
      >
        {(ids) => (
          <TextArea
            {...ids}
            className="min-h-16 font-mono text-xs leading-5"
            spellCheck={false}
            placeholder={".env\nconfig/*.local.json"}
            value={draft.copy_files}
            onChange={set("copy_files")}
          />
        )}
      </Field>
      <Field
        label="Trusted filters"
        error={refusals["trusted_filters"]}
        hint="Filters that are defined only in a repository's own configuration, one name per line. Saving allows them as currently defined. If a definition changes, commits that need the filter are refused until you allow it again."
      >
        {(ids) => (
          <TextArea
            {...ids}
            className="min-h-10 font-mono text-xs leading-5"
            spellCheck={false}
            placeholder="git-crypt"
            value={draft.trusted_filters}
            onChange={set("trusted_filters")}
          />
        )}
      </Field>
      {filters !== "" && draft.trusted_filters === filters && (
        <Button className="mt-1.5" busy={busy} onClick={() => void allowAgain()}>
          Allow current definitions
        </Button>
      )}
      <Check
        label="Keep a checkout of each repository ready so that runs start faster"
        checked={draft.spare_worktrees}
        onChange={(event) => setDraft({ ...draft, spare_worktrees: event.target.checked })}
      />
      <FormRefusal refusals={refusals} />
      <div className="mt-3 flex gap-2">
        <Button type="submit" kind="primary" busy={busy} disabled={!changed}>
          Save settings
        </Button>
        {changed && <Button onClick={() => setDraft(known)}>Discard changes</Button>}
      </div>
    </form>
  );
}
