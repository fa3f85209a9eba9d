import { useState } from "react";
import type { Agent } from "@/api/client";
import { Confirm, Dialog } from "@/ui/dialog";
import { succeeded } from "@/ui/toast";
import { BLANK, draftFromTemplate, type AgentDraft } from "./draft";
import { AgentForm } from "./form";
import { Templates } from "./templates";

/** The agent to edit, or a new one; without a draft the templates come first. */
export interface Editing {
  agent?: Agent;
  draft?: AgentDraft;
}

/** The dialog of an agent. It asks before it discards changes. */
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
        title={editing?.agent ? `Agent ${editing.agent.name}` : draft ? "New agent" : "Start from"}
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
              succeeded(`Agent ${agent.name} saved.`);
              close();
            }}
          />
        )}
      </Dialog>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title="Discard changes?"
        action="Discard"
        danger
        onConfirm={() => Promise.resolve(close())}
      >
        Your changes to this agent are not saved.
      </Confirm>
    </>
  );
}
