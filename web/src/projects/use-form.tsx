// What the forms of this area share: one call at a time, and its refusal at the right field.
import { useRef, useState } from "react";
import { refusalsOf, type Refusals } from "./refusal";

/** The field of a form that a refusal concerns is marked so, and gets the focus. */
function focusFirstWrong(form: HTMLElement | null) {
  requestAnimationFrame(() => form?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
}

/** Runs the call of a form; what the server refuses is kept by field. */
export function useForm(fields: readonly string[], conflicts?: Record<string, RegExp>) {
  const [busy, setBusy] = useState(false);
  const [refusals, setRefusals] = useState<Refusals>({});
  const form = useRef<HTMLFormElement>(null);
  const refuse = (next: Refusals) => {
    setRefusals(next);
    focusFirstWrong(form.current);
  };
  /** Whether it went through. */
  const send = async (act: () => Promise<unknown>): Promise<boolean> => {
    if (busy) return false;
    setBusy(true);
    setRefusals({});
    try {
      await act();
      return true;
    } catch (error) {
      const sentence = error instanceof Error ? error.message : String(error);
      refuse(refusalsOf(sentence, fields, conflicts));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { form, busy, refusals, refuse, send };
}

/** A refusal that belongs to no field. */
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
