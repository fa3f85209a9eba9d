// Assigns a server error to the form field that it is about.
import { CallError } from "@/api/client";

/** Errors by field name; those of no field of the form are under "". */
export type Refusals = Record<string, string>;

/** The form field of a path: itself, or its longest prefix that is a field. */
function within(path: string, fields: readonly string[]): string | undefined {
  const holding = fields.filter(
    (field) => path === field || (/^[.[]/.test(path.slice(field.length)) && path.startsWith(field)),
  );
  return holding.sort((a, b) => b.length - a.length)[0];
}

/**
 * Where an error is shown: at the field that it names, if the form has it; else at the field of
 * `conflicts` that has its code; else above the form.
 */
export function refusalsOf(
  error: unknown,
  fields: readonly string[],
  conflicts: Record<string, string> = {},
): Refusals {
  if (!(error instanceof CallError)) {
    return { "": error instanceof Error ? error.message : String(error) };
  }
  const named = within(error.field ?? "", fields);
  const coded = Object.keys(conflicts).find((field) => conflicts[field] === error.code);
  return { [named ?? coded ?? ""]: error.message };
}
