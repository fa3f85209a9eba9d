import { useState } from "react";
import type { Project } from "@/api/client";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/field";
import { useSetupCalls } from "./calls";
import { repoName } from "./repos/name";
import { PathField } from "./repos/path-field";
import { FormRefusal, useForm } from "./use-form";

interface Props {
  /** Whether a repository is required. */
  needsRepo?: boolean;
  onMade: (project: Project) => void;
}

/** A new project with its first repository: both are created, or neither. */
export function ProjectForm({ needsRepo = false, onMade }: Props) {
  const calls = useSetupCalls();
  const { form, busy, refusals, send } = useForm(["name", "repo_path"]);
  const [path, setPath] = useState("");
  const [written, setWritten] = useState<string | null>(null);
  const name = written ?? repoName(path);
  const make = async () => {
    const where = path.replace(/(.)\/+$/, "$1");
    let made: Project | undefined;
    const fine = await send(async () => {
      made =
        where === ""
          ? await calls.createProject(name)
          : await calls.createProjectWithRepo(name, repoName(where) || "repo", where);
    });
    if (fine && made) onMade(made);
  };
  return (
    <form
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        void make();
      }}
    >
      <PathField
        label={needsRepo ? "Repository" : "First repository"}
        value={path}
        onChange={setPath}
        error={refusals["repo_path"]}
      />
      <Field label="Project name" error={refusals["name"]}>
        {(ids) => (
          <Input
            {...ids}
            value={name}
            maxLength={200}
            onChange={(event) => setWritten(event.target.value)}
          />
        )}
      </Field>
      <FormRefusal refusals={refusals} />
      <Button
        type="submit"
        kind="primary"
        className="mt-4"
        busy={busy}
        disabled={name.trim() === "" || (needsRepo && path === "")}
      >
        Create project
      </Button>
    </form>
  );
}
