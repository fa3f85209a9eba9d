import { useState } from "react";
import type { Project } from "@/api/client";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/field";
import { useSetupCalls } from "../calls";
import { FormRefusal, useForm } from "../use-form";
import { repoName } from "./name";
import { PathField } from "./path-field";

const CONFLICTS = { name: "name_taken", repo_path: "repository_taken" };

/** Adds a repository to a project. Its name follows the folder until the user edits it. */
export function RepoForm({ project, onAdded }: { project: Project; onAdded?: () => void }) {
  const calls = useSetupCalls();
  const { form, busy, refusals, send } = useForm(["name", "repo_path"], CONFLICTS);
  const [path, setPath] = useState("");
  const [written, setWritten] = useState<string | null>(null);
  const taken = project.repos.map((repo) => repo.name);
  const name = written ?? repoName(path, taken);
  const add = async () => {
    const where = path.replace(/(.)\/+$/, "$1");
    if (!(await send(() => calls.addRepo(project.id, name, where)))) return;
    setPath("");
    setWritten(null);
    onAdded?.();
  };
  return (
    <form
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      <div className="grid gap-x-3 md:grid-cols-[1fr_14rem]">
        <PathField value={path} onChange={setPath} error={refusals["repo_path"]} />
        <div className="max-md:mt-3">
          <Field label="Name in the project" error={refusals["name"]} hint="Used as a folder name.">
            {(ids) => (
              <Input
                {...ids}
                value={name}
                onChange={(event) => setWritten(event.target.value || null)}
              />
            )}
          </Field>
        </div>
      </div>
      <FormRefusal refusals={refusals} />
      <Button type="submit" kind="primary" className="mt-3" busy={busy} disabled={path === ""}>
        Add repository
      </Button>
    </form>
  );
}
