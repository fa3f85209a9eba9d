import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, CallError, data } from "@/api/client";
import { keys } from "@/api/keys";
import { modelsQuery } from "@/api/queries";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/field";
import { Failed, Skeleton } from "@/ui/panes";
import { failed, succeeded } from "@/ui/toast";
import {
  documentOf,
  draftOf,
  faultOf,
  priceFaults,
  type Document,
  type Draft,
  type Fault,
} from "./model-draft";
import { ProviderForm } from "./provider-form";

/** Providers and their models; the document is saved as a whole. */
export function Models() {
  const client = useQueryClient();
  const models = useQuery(modelsQuery());
  const [changed, setChanged] = useState<Draft | null>(null);
  const [faults, setFaults] = useState<Fault[]>([]);
  const [busy, setBusy] = useState(false);
  if (models.isPending) return <Skeleton lines={10} />;
  if (models.isError) return <Failed error={models.error} retry={() => void models.refetch()} />;
  const known: Document = models.data;
  const draft = changed ?? draftOf(known);
  const drop = () => {
    setChanged(null);
    setFaults([]);
  };
  const save = async () => {
    const wrong = priceFaults(draft);
    setFaults(wrong);
    if (wrong.length > 0) return;
    setBusy(true);
    try {
      const saved = await data(api.PUT("/api/settings/models", { body: documentOf(draft) }));
      client.setQueryData(keys.models, saved);
      drop();
      succeeded("Models and prices saved.");
    } catch (error) {
      const fault = error instanceof CallError ? faultOf(error) : null;
      if (fault) setFaults([fault]);
      else failed("Could not save the settings", error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
      className="flex min-h-full flex-col"
      noValidate
    >
      <div className="max-w-5xl flex-1 px-4 py-3">
        <p className="max-w-prose text-muted">
          The program that each provider starts, and the price of a million tokens in dollars. Costs
          that a CLI does not report are estimated from these prices; runs that have ended keep
          theirs.
        </p>
        <div className="mt-3 w-44">
          <Field label="Prices as of" hint="The day the prices were looked up">
            {(ids) => (
              <Input
                {...ids}
                type="date"
                value={draft.prices_as_of}
                onChange={(event) => setChanged({ ...draft, prices_as_of: event.target.value })}
              />
            )}
          </Field>
        </div>
        {draft.providers.map((provider, at) => (
          <ProviderForm
            key={provider.id}
            draft={provider}
            known={known.providers.find(({ id }) => id === provider.id)}
            faults={faults.filter((fault) => fault.provider === at)}
            onChange={(next) => setChanged({ ...draft, providers: draft.providers.with(at, next) })}
          />
        ))}
      </div>
      {changed && (
        <footer className="sticky bottom-0 flex items-center gap-2 border-t bg-raised px-4 py-2.5">
          <p role="status" className="min-w-0 flex-1">
            {faults.length > 0 ? (
              <span className="text-bad">Not saved: fix the marked fields.</span>
            ) : (
              <span className="text-muted">Unsaved changes</span>
            )}
          </p>
          <Button onClick={drop}>Discard</Button>
          <Button kind="primary" type="submit" busy={busy}>
            Save
          </Button>
        </footer>
      )}
    </form>
  );
}
