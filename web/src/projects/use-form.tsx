// Shared by the forms of this folder: one call at a time, and its error at the right field.
import { useRef, useState } from "react";
import { refusalsOf, type Refusals } from "./refusal";

/** Marks the field with an error, which gets the focus. */
function focusFirstWrong(form: HTMLElement | null) {
  requestAnimationFrame(() => form?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
}

/** Runs the call of a form; server errors are kept by field. */
export function useForm(fields: readonly string[], conflicts?: Record<string, string>) {
  const [busy, setBusy] = useState(false);
  const [refusals, setRefusals] = useState<Refusals>({});
  const form = useRef<HTMLFormElement>(null);
  const refuse = (next: Refusals) => {
    setRefusals(next);
    focusFirstWrong(form.current);
  };
  /** Whether it succeeded. */
  const send = async (act: () => Promise<unknown>): Promise<boolean> => {
    if (busy) return false;
    setBusy(true);
    setRefusals({});
    try {
      await act();
      return true;
    } catch (error) {
      refuse(refusalsOf(error, fields, conflicts));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { form, busy, refusals, refuse, send };
}

/** An error that belongs to no field. */
export function FormRefusal({ refusals }: { refusals: Refusals }) {
  const sentence = refusals[""];
  if (sentence === undefined) return null;
  return (
    <p
      role="alert"
      className="mt-3 rounded-md border border-bad/40 bg-bad-soft px-3 py-2 break-words whitespace-pre-wrap"
    >
      {sentence}
    </p>
  );
}
