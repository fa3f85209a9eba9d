import { useQuery } from "@tanstack/react-query";
import { Copy, MoreHorizontal, Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Agent, Project, Provider } from "@/api/client";
import { agentsQuery, modelsQuery } from "@/api/queries";
import { firstLine } from "@/lib/format";
import { runAction } from "@/runs/actions";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/dialog";
import { Menu } from "@/ui/menu";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { succeeded } from "@/ui/toast";
import { useSetupCalls } from "../calls";
import { Installed } from "./cli";
import { draftOf, draftOfCopy } from "./draft";
import { Editor, type Editing } from "./editor";

interface RowProps {
  agent: Agent;
  provider: Provider | undefined;
  onEdit: () => void;
  onCopy: () => void;
  onDelete: () => void;
}

function Row({ agent, provider, onEdit, onCopy, onDelete }: RowProps) {
  const headless = agent.provider_config["mode"] === "headless";
  return (
    <li className="flex items-center gap-2 border-b py-2 pr-1">
      <button type="button" onClick={onEdit} className="min-w-0 flex-1 px-1 text-left">
        <span className="flex flex-wrap items-baseline gap-x-2">
          <span className="text-base font-semibold break-words">{agent.name}</span>
          <span className="text-muted">
            {provider?.label ?? agent.cli_name}
            {agent.model ? ` · ${agent.model}` : ""} · {agent.role}
            {headless ? " · headless" : ""}
          </span>
          <Installed provider={provider} />
        </span>
        <span className="block truncate text-muted">
          {firstLine(agent.instructions) || "No instructions."}
        </span>
      </button>
      <Menu
        items={[
          { label: "Edit…", icon: <Pencil size={14} />, onSelect: onEdit },
          { label: "Duplicate…", icon: <Copy size={14} />, onSelect: onCopy },
          null,
          { label: "Delete…", icon: <Trash2 size={14} />, danger: true, onSelect: onDelete },
        ]}
      >
        <Button
          kind="quiet"
          icon={<MoreHorizontal size={16} />}
          aria-label={`More actions for ${agent.name}`}
        />
      </Menu>
    </li>
  );
}

export default function AgentsTab({ project }: { project: Project }) {
  const calls = useSetupCalls();
  const agents = useQuery({ ...agentsQuery(project.id), refetchOnMount: "always" });
  const providers = useQuery(modelsQuery()).data?.providers;
  const [editing, setEditing] = useState<Editing | null>(null);
  const [deleting, setDeleting] = useState<Agent | null>(null);
  if (agents.isPending) return <Skeleton />;
  if (agents.isError) return <Failed error={agents.error} retry={() => void agents.refetch()} />;
  const names = agents.data.map((agent) => agent.name);
  return (
    <div className="mx-auto max-w-3xl px-4 pt-4 pb-12">
      <div className="flex items-center gap-2">
        <p className="flex-1 text-muted">An agent is a CLI with instructions and limits.</p>
        <Button kind="primary" icon={<Plus size={15} />} onClick={() => setEditing({})}>
          New agent
        </Button>
      </div>
      {agents.data.length === 0 ? (
        <Empty title="No agent yet">Start from a template or a blank agent.</Empty>
      ) : (
        <ul aria-label="Agents" className="mt-2 border-t">
          {agents.data.map((agent) => (
            <Row
              key={agent.id}
              agent={agent}
              provider={providers?.find((known) => known.id === agent.cli_name)}
              onEdit={() => setEditing({ agent, draft: draftOf(agent) })}
              onCopy={() => setEditing({ draft: draftOfCopy(agent, names) })}
              onDelete={() => setDeleting(agent)}
            />
          ))}
        </ul>
      )}
      <Editor projectId={project.id} editing={editing} onClose={() => setEditing(null)} />
      <Confirm
        open={deleting !== null}
        onOpenChange={(open) => !open && setDeleting(null)}
        title={`Delete agent ${deleting?.name ?? ""}?`}
        action="Delete agent"
        danger
        onConfirm={async () => {
          const agent = deleting;
          if (!agent) return;
          const gone = await runAction("Could not delete the agent", () =>
            calls.removeAgent(agent),
          );
          if (!gone) throw new Error();
          succeeded(`Agent ${agent.name} deleted.`);
        }}
      >
        This permanently deletes its instructions and settings. Its runs stay and can continue with
        the configuration they started with.
      </Confirm>
    </div>
  );
}
