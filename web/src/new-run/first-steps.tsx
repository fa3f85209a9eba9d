// Creates in place what the first run needs.
import { clsx } from "clsx";
import { useState, type ReactNode } from "react";
import type { Project } from "@/api/client";
import { BLANK, draftFromTemplate, type AgentDraft } from "@/projects/agents/draft";
import { AgentForm } from "@/projects/agents/form";
import { Templates } from "@/projects/agents/templates";
import { ProjectForm } from "@/projects/project-form";
import { RepoForm } from "@/projects/repos/repo-form";
import { Button } from "@/ui/button";

const STEPS = ["Project", "Agent", "Run"] as const;

/** One step, with the progress around it. */
function Step({ at, title, children }: { at: 0 | 1; title: string; children: ReactNode }) {
  return (
    <section className="mt-4">
      <ol aria-label="Steps" className="mb-4 flex gap-4 text-xs">
        {STEPS.map((step, index) => (
          <li
            key={step}
            aria-current={index === at ? "step" : undefined}
            className={clsx(
              index === at ? "font-semibold text-accent" : index < at ? "text-good" : "text-muted",
            )}
          >
            {index < at ? "✓" : index + 1} {step}
          </li>
        ))}
      </ol>
      <h2 className="mb-3 text-base font-semibold">{title}</h2>
      {children}
    </section>
  );
}

export function ProjectStep({ onMade }: { onMade: (project: Project) => void }) {
  return (
    <Step at={0} title="Which repository should agents work on?">
      <ProjectForm needsRepo onMade={onMade} />
      <p className="mt-3 text-muted">
        Your checkout is not touched: each run gets its own worktree and branch. You can add more
        repositories to the project later.
      </p>
    </Step>
  );
}

export function RepoStep({ project }: { project: Project }) {
  return (
    <Step at={0} title={`${project.name} has no repository yet`}>
      <RepoForm project={project} />
    </Step>
  );
}

/** Creates the project's first agent; the page then moves to the next step. */
export function AgentStep({ project }: { project: Project }) {
  const [draft, setDraft] = useState<AgentDraft | null>(null);
  return (
    <Step at={1} title={`Add an agent to ${project.name}`}>
      {draft ? (
        <>
          <Button kind="quiet" className="-ml-2 mb-2" onClick={() => setDraft(null)}>
            ← Other templates
          </Button>
          <AgentForm projectId={project.id} initial={draft} onSaved={() => setDraft(null)} />
        </>
      ) : (
        <Templates
          onPick={(template) => setDraft(draftFromTemplate(template))}
          onBlank={() => setDraft(BLANK)}
        />
      )}
    </Step>
  );
}
