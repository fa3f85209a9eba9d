import { useState } from "react";
import { Field, Input, Select, TextArea } from "@/ui/field";
import type { Refusals } from "../refusal";
import { BLANK, type AgentDraft } from "./draft";
import { ArgumentRows, EnvRows } from "./rows";

interface Props {
  draft: AgentDraft;
  change: (part: Partial<AgentDraft>) => void;
  refusals: Refusals;
  /** Whether the CLI has an interactive and a headless way to run. */
  hasModes: boolean;
}

function Note({ error, hint }: { error: string | undefined; hint: string }) {
  return <p className={`mt-1 text-xs ${error ? "text-bad" : "text-muted"}`}>{error ?? hint}</p>;
}

/** Launch options: collapsed while all are at their defaults. */
export function Started({ draft, change, refusals, hasModes }: Props) {
  const filled =
    draft.mode !== BLANK.mode ||
    draft.bin !== "" ||
    draft.args.length > 0 ||
    draft.env.length > 0 ||
    draft.rest !== BLANK.rest;
  const wrong = Object.keys(refusals).some(
    (field) => field === "rest" || /^provider_config\.(?!command|approval)/.test(field),
  );
  const [wanted, setWanted] = useState(filled);
  return (
    <details
      className="mt-4 border-t pt-3"
      open={wanted || wrong}
      onToggle={(event) => setWanted(event.currentTarget.open)}
    >
      <summary className="cursor-pointer font-medium select-none">Launch options</summary>
      <div className="pt-3">
        {hasModes && (
          <Field
            label="Mode"
            error={refusals["provider_config.mode"]}
            hint="Interactive shows the CLI's own screen in the terminal. Headless prints its output and exits after each turn."
          >
            {(ids) => (
              <Select
                {...ids}
                value={draft.mode}
                onChange={(event) =>
                  change({
                    mode: event.target.value === "headless" ? "headless" : "interactive",
                  })
                }
              >
                <option value="interactive">Interactive</option>
                <option value="headless">Headless</option>
              </Select>
            )}
          </Field>
        )}
        <Field
          label="Program"
          error={refusals["provider_config.bin"]}
          hint="Name or full path, if it is not the CLI's default program."
        >
          {(ids) => (
            <Input
              {...ids}
              spellCheck={false}
              className="font-mono !text-xs"
              value={draft.bin}
              onChange={(event) => change({ bin: event.target.value })}
            />
          )}
        </Field>
        <fieldset className="mt-3">
          <legend className="mb-1 font-medium">Extra arguments</legend>
          <ArgumentRows
            label="Extra arguments"
            rows={draft.args}
            onChange={(args) => change({ args })}
          />
          <Note
            error={refusals["provider_config.args"]}
            hint="Passed after the CLI's own arguments, in order."
          />
        </fieldset>
        <fieldset className="mt-3">
          <legend className="mb-1 font-medium">Environment</legend>
          <EnvRows label="Environment" rows={draft.env} onChange={(env) => change({ env })} />
          <Note
            error={refusals["provider_config.env"]}
            hint="Set for the CLI only. Stored values are never shown; leave them unchanged to keep them."
          />
        </fieldset>
        <Field
          label="Additional configuration"
          error={refusals["rest"]}
          hint="A JSON object with the provider_config keys that have no field above."
        >
          {(ids) => (
            <TextArea
              {...ids}
              spellCheck={false}
              className="font-mono text-xs leading-5"
              value={draft.rest}
              onChange={(event) => change({ rest: event.target.value })}
            />
          )}
        </Field>
      </div>
    </details>
  );
}
