// Which field of a form the server's refusal is about.

/** Refusals by the name of their field; what belongs to no field of the form is under "". */
export type Refusals = Record<string, string>;

/**
 * The field that a sentence of the server names, or "". The server writes "The max_turns must …",
 * "The provider_config.env must …" and "`repo_path` must …".
 */
export function fieldOf(sentence: string): string {
  return /^(?:The |`)([a-z][a-z_]*(?:\.[a-z_]+)?)`?(?= |$)/.exec(sentence)?.[1] ?? "";
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
  const named = fieldOf(sentence);
  if (fields.includes(named)) return { [named]: sentence };
  const spoken = Object.entries(conflicts).find(([, words]) => words.test(sentence));
  return { [spoken?.[0] ?? ""]: sentence };
}
