// Which field of a form the server's refusal is about.

/** Refusals by the name of their field; what belongs to no field of the form is under "". */
export type Refusals = Record<string, string>;

/** The path of the field that a sentence of the server names ("`repo_path` must …"), or "". */
export function fieldOf(sentence: string): string {
  return /^`([^`]+)` /.exec(sentence)?.[1] ?? "";
}

/** The field of the form that a path leads to: itself, or the longest that it lies in. */
function within(path: string, fields: readonly string[]): string | undefined {
  const holding = fields.filter(
    (field) => path === field || (/^[.[]/.test(path.slice(field.length)) && path.startsWith(field)),
  );
  return holding.sort((a, b) => b.length - a.length)[0];
}

/**
 * Where a refusal is shown: at the field it names when the form has it, at the first of `conflicts`
 * that its words speak of, or over the whole form.
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
