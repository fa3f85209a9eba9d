import { expect, test } from "vitest";
import { answersOf, BLANK, press, pressOwn, questionsOf, type Question } from "./answers";

const question = (text: string, several: boolean, ...labels: string[]) => ({
  question: text,
  header: "",
  multiSelect: several,
  options: labels.map((label) => ({ label, description: "" })),
});
const read = (...all: object[]) => questionsOf({ questions: all }) ?? [];
const [one, many] = read(
  question("Which?", false, "Red", "Blue"),
  question("Where?", true, "North", "South"),
) as [Question, Question];

test("questions are read, or it is another form", () => {
  expect(one).toMatchObject({ text: "Which?", several: false });
  expect(one.options.map(({ label }) => label)).toEqual(["Red", "Blue"]);
  for (const input of [null, {}, { questions: [] }, { questions: [{ header: "x" }] }]) {
    expect(questionsOf(input)).toBeUndefined();
  }
});

test("one option excludes the others and the text, several do not", () => {
  const red = press(one, pressOwn(one, { ...BLANK, text: "Green" }, true), "Red");
  expect(answersOf([one], [red])).toEqual({ answer: { "Which?": "Red" } });
  expect(answersOf([one], [pressOwn(one, red, true)])).toEqual({ answer: { "Which?": "Green" } });
  const both = press(many, press(many, BLANK, "South"), "North");
  expect(answersOf([many], [both])).toEqual({ answer: { "Where?": ["North", "South"] } });
  const more = pressOwn(many, { ...press(many, both, "North"), text: " East " }, true);
  expect(answersOf([many], [more])).toEqual({ answer: { "Where?": ["South", "East"] } });
});

test("the first question without an answer is named", () => {
  const red = press(one, BLANK, "Red");
  expect(answersOf([one, many], [])).toEqual({ missing: 0 });
  expect(answersOf([one, many], [red])).toEqual({ missing: 1 });
  const empty = pressOwn(many, press(many, BLANK, "North"), true);
  expect(answersOf([one, many], [red, empty])).toEqual({ missing: 1 });
});
