import { Field, Input, Select } from "@/ui/field";
import type { Refusals } from "../refusal";
import { APPROVAL_MINUTES, type AgentDraft } from "./draft";

/** What happens when nobody answers in time. */
function afterwards(cliName: string): string {
  return cliName === "codex"
    ? "Codex asks in its terminal only when this time is over."
    : "After that it is denied, and the agent is told why. Its terminal asks meanwhile, too.";
}

interface Props {
  draft: AgentDraft;
  change: (part: Partial<AgentDraft>) => void;
  refusals: Refusals;
}

/** Where the questions of an agent are answered, and for how long they can be. */
export function Approvals({ draft, change, refusals }: Props) {
  const remote = draft.approvals === "remote";
  return (
    <div className="mt-3 grid gap-x-3 gap-y-3 sm:grid-cols-[1fr_12rem]">
      <div>
        <Field
          label="Questions are answered"
          error={refusals["provider_config.approvals"]}
          hint={
            remote
              ? "Permissions, questions and plans appear in the inbox of everyone who can use this server."
              : "Permissions, questions and plans of the agent."
          }
        >
          {(ids) => (
            <Select
              {...ids}
              value={draft.approvals}
              onChange={(event) =>
                change({ approvals: event.target.value === "remote" ? "remote" : "terminal" })
              }
            >
              <option value="terminal">In the terminal only</option>
              <option value="remote">From anywhere: inbox, API or terminal</option>
            </Select>
          )}
        </Field>
      </div>
      {remote && (
        <div>
          <Field
            label="Minutes to answer"
            error={refusals["provider_config.approval_minutes"]}
            hint={afterwards(draft.cli_name)}
          >
            {(ids) => (
              <Input
                {...ids}
                inputMode="decimal"
                placeholder={String(APPROVAL_MINUTES)}
                value={draft.approval_minutes}
                onChange={(event) => change({ approval_minutes: event.target.value })}
              />
            )}
          </Field>
        </div>
      )}
    </div>
  );
}
