import { useState } from "react";
import type { Agent } from "@/api/client";
import { Confirm, Dialog } from "@/ui/dialog";
import { told } from "@/ui/toast";
import { BLANK, draftFromTemplate, type AgentDraft } from "./draft";
import { AgentForm } from "./form";
import { Templates } from "./templates";

/** What is edited: an agent, or a new one; without a draft the templates come first. */
export interface Editing {
  agent?: Agent;
  draft?: AgentDraft;
}

/** The dialog of an agent. It asks before it drops what was typed. */
export function Editor(props: { projectId: string; editing: Editing | null; onClose: () => void }) {
  const { projectId, editing, onClose } = props;
  const [begun, setBegun] = useState<AgentDraft | null>(null);
  const [dirty, setDirty] = useState(false);
  const [asking, setAsking] = useState(false);
  const draft = editing?.draft ?? begun;
  const close = () => {
    setBegun(null);
    setDirty(false);
    onClose();
  };
  const leave = () => (dirty ? setAsking(true) : close());
  return (
    <>
      <Dialog
        wide
        open={editing !== null}
        onOpenChange={(open) => !open && leave()}
        title={editing?.agent ? `Agent ${editing.agent.name}` : draft ? "New agent" : "Begin with"}
      >
        {editing && !draft && (
          <Templates
            onPick={(template) => setBegun(draftFromTemplate(template))}
            onBlank={() => setBegun(BLANK)}
          />
        )}
        {editing && draft && (
          <AgentForm
            projectId={projectId}
            {...(editing.agent ? { agent: editing.agent } : {})}
            initial={draft}
            onDirty={setDirty}
            onCancel={leave}
            onSaved={(agent) => {
              told(`Agent ${agent.name} kept.`);
              close();
            }}
          />
        )}
      </Dialog>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title="Drop your changes?"
        action="Drop them"
        danger
        onConfirm={() => Promise.resolve(close())}
      >
        What you typed for this agent was not saved.
      </Confirm>
    </>
  );
}
