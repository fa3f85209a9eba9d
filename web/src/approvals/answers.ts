// The questions of an approval, and the answers while they are made. Pure.
import { isObject, str } from "@/runs/activity/essence";

export interface Option {
  label: string;
  description: string;
  /** What the CLI would show beside the option. */
  preview: string;
}

export interface Question {
  text: string;
  /** One or two words. */
  header: string;
  /** Several options may be chosen. */
  several: boolean;
  options: Option[];
}

/** The answer to one question while it is made. */
export interface Draft {
  chosen: readonly string[];
  /** The text field is chosen. */
  own: boolean;
  text: string;
}

export const BLANK: Draft = { chosen: [], own: false, text: "" };

/** The questions; undefined when the input does not have their form. */
export function questionsOf(input: unknown): Question[] | undefined {
  const list = isObject(input) ? input["questions"] : undefined;
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const questions: Question[] = [];
  for (const one of list as unknown[]) {
    const text = isObject(one) ? str(one["question"]) : undefined;
    if (!isObject(one) || text === undefined) return undefined;
    const options = Array.isArray(one["options"]) ? one["options"].filter(isObject) : [];
    questions.push({
      text,
      header: str(one["header"]) ?? "",
      several: one["multiSelect"] === true,
      options: options.map((option) => ({
        label: str(option["label"]) ?? "",
        description: str(option["description"]) ?? "",
        preview: str(option["preview"]) ?? "",
      })),
    });
  }
  return questions;
}

/** The draft after an option was pressed. */
export function press(question: Question, draft: Draft, label: string): Draft {
  if (!question.several) return { ...draft, chosen: [label], own: false };
  const chosen = draft.chosen.includes(label)
    ? draft.chosen.filter((other) => other !== label)
    : [...draft.chosen, label];
  return { ...draft, chosen };
}

/** The draft after the text field was chosen, or left out. */
export function pressOwn(question: Question, draft: Draft, own: boolean): Draft {
  return { ...draft, own, chosen: question.several ? draft.chosen : own ? [] : draft.chosen };
}

function answerTo(question: Question, draft: Draft): string | string[] | undefined {
  const text = draft.text.trim();
  if (draft.own && text === "") return undefined;
  // In the order in which they are offered.
  const labels = question.options.map(({ label }) => label);
  const all = labels.filter((label) => draft.chosen.includes(label));
  if (draft.own) all.push(text);
  return question.several ? (all.length > 0 ? all : undefined) : all[0];
}

/** The answers by question, as the API takes them; or the first question without one. */
export function answersOf(
  questions: Question[],
  drafts: readonly Draft[],
): { answer: Record<string, string | string[]> } | { missing: number } {
  const answer: Record<string, string | string[]> = {};
  for (const [at, question] of questions.entries()) {
    const given = answerTo(question, drafts[at] ?? BLANK);
    if (given === undefined) return { missing: at };
    answer[question.text] = given;
  }
  return { answer };
}
