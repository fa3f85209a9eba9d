// Assigns a server error to the form field that it is about.

/** Errors by field name; those of no field of the form are under "". */
export type Refusals = Record<string, string>;

/** The field path that a server message names ("`repo_path` must …"), or "". */
export function fieldOf(sentence: string): string {
  return /^`([^`]+)` /.exec(sentence)?.[1] ?? "";
}

/** The form field of a path: itself, or its longest prefix that is a field. */
function within(path: string, fields: readonly string[]): string | undefined {
  const holding = fields.filter(
    (field) => path === field || (/^[.[]/.test(path.slice(field.length)) && path.startsWith(field)),
  );
  return holding.sort((a, b) => b.length - a.length)[0];
}

/**
 * Where an error is shown: at the field that it names, if the form has it; else at the first of
 * `conflicts` whose words it contains; else above the form.
 */
export function refusalsOf(
  sentence: string,
  fields: readonly string[],
  conflicts: Record<string, RegExp> = {},
): Refusals {
  const named = within(fieldOf(sentence), fields);
  if (named !== undefined) return { [named]: sentence };
  const spoken = Object.entries(conflicts).find(([, words]) => words.test(sentence));
  return { [spoken?.[0] ?? ""]: sentence };
}
