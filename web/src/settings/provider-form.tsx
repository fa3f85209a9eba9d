import { Check as CheckSign, CircleSlash } from "lucide-react";
import { useId } from "react";
import { Check, Field, Input } from "@/ui/field";
import { limitWords } from "./limits";
import type { Fault, Provider, ProviderDraft } from "./model-draft";
import { ModelTable } from "./model-table";

interface Props {
  draft: ProviderDraft;
  /** The server's view of it; undefined for one that it does not know. */
  known: Provider | undefined;
  faults: Fault[];
  onChange: (next: ProviderDraft) => void;
}

/** Whether its program is installed. */
function Presence({ known }: { known: Provider | undefined }) {
  if (known?.installed === true) {
    return (
      <span className="inline-flex items-center gap-1 text-good">
        <CheckSign size={14} aria-hidden />
        Installed{known.version ? `, ${known.version}` : ""}
      </span>
    );
  }
  if (known?.installed === false) {
    return (
      <span className="inline-flex items-center gap-1 text-warn">
        <CircleSlash size={14} aria-hidden />
        Not found
      </span>
    );
  }
  return null;
}

/** Renders `code` in backticks, as the server's hints have it. */
function Hint({ text }: { text: string }) {
  return text.split("`").map((part, at) =>
    at % 2 === 1 ? (
      <code key={at} className="rounded bg-sunken px-1 font-mono text-xs break-words">
        {part}
      </code>
    ) : (
      part
    ),
  );
}

export function ProviderForm({ draft, known, faults, onChange }: Props) {
  const list = useId();
  const title = useId();
  const limits = known?.limits ? limitWords(known.limits) : [];
  const error = (field: string) =>
    faults.find((fault) => fault.model === null && fault.field === field)?.words;
  const other = faults.find(
    (fault) => fault.model === null && !["bin", "default_model"].includes(fault.field ?? ""),
  );
  return (
    <section aria-labelledby={title} className="mt-5 border-t pt-3">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <h2 id={title} className="text-lg font-semibold">
          {draft.label}
        </h2>
        <code className="font-mono text-xs text-muted">{draft.id}</code>
        <Presence known={known} />
      </div>
      {known?.installed === false && known.install_hint && (
        <p className="mt-0.5 text-muted first-letter:uppercase">
          <Hint text={known.install_hint} />.
        </p>
      )}
      {limits.map((limit) => (
        <p key={limit} className="mt-0.5 max-w-prose text-muted">
          {limit}
        </p>
      ))}
      {other && (
        <p role="alert" className="text-bad">
          {other.field} {other.words}
        </p>
      )}
      <div className="mt-2 grid items-start gap-x-4 gap-y-2 sm:grid-cols-[auto_1fr_1fr] [&>div]:mt-0">
        <div className="sm:pt-6">
          <Check
            label="Enabled"
            checked={draft.enabled}
            onChange={(event) => onChange({ ...draft, enabled: event.target.checked })}
          />
        </div>
        <Field label="Program" error={error("bin")} hint="A name on the PATH, or a full path">
          {(ids) => (
            <Input
              {...ids}
              className="font-mono"
              spellCheck={false}
              value={draft.bin}
              onChange={(event) => onChange({ ...draft, bin: event.target.value })}
            />
          )}
        </Field>
        <Field
          label="Default model"
          error={error("default_model")}
          hint="Leave empty for the CLI's default"
        >
          {(ids) => (
            <>
              <Input
                {...ids}
                className="font-mono"
                spellCheck={false}
                list={list}
                value={draft.default_model}
                onChange={(event) => onChange({ ...draft, default_model: event.target.value })}
              />
              <datalist id={list}>
                {draft.models.map((model, at) => (
                  <option key={at} value={model.id}>
                    {model.label}
                  </option>
                ))}
              </datalist>
            </>
          )}
        </Field>
      </div>
      <ModelTable
        provider={draft.label}
        models={draft.models}
        faults={faults}
        onChange={(models) => onChange({ ...draft, models })}
      />
    </section>
  );
}
