import { expect, test } from "vitest";
import { fieldOf, refusalsOf } from "./refusal";

test("the field of the server's own sentences", () => {
  const sentences = {
    "The name must not be blank.": "name",
    "The cli_name 'zz' is no adapter of this build.": "cli_name",
    "The provider_config.env must be an object of strings.": "provider_config.env",
    "`repo_path` must be an absolute path.": "repo_path",
    "The body is wrong: invalid type.": "body",
    "This repository is in the project already.": "",
    "A run of this agent has a live process; cancel it first.": "",
  };
  for (const [sentence, field] of Object.entries(sentences)) {
    expect(fieldOf(sentence), sentence).toBe(field);
  }
});

test("a refusal goes to its field, to the one its words speak of, or to the form", () => {
  const conflicts = { repo_path: /repository/, name: /that name/ };
  const at = (sentence: string) => refusalsOf(sentence, ["name", "repo_path"], conflicts);
  expect(at("The name must not be blank.")).toEqual({ name: "The name must not be blank." });
  expect(Object.keys(at("This repository is in the project already."))).toEqual(["repo_path"]);
  expect(Object.keys(at("A repo of that name is in the project already."))).toEqual(["name"]);
  expect(Object.keys(at("The body is wrong: invalid type."))).toEqual([""]);
});
