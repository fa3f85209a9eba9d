import { expect, test } from "vitest";
import { fieldOf, refusalsOf } from "./refusal";

test("the field of the server's own sentences", () => {
  const sentences = {
    "`name` must not be blank.": "name",
    "`cli_name` 'zz' is not supported; use one of codex, gemini.": "cli_name",
    "`provider_config.env.KEY` must be a string.": "provider_config.env.KEY",
    "`repo_path` must be an absolute path.": "repo_path",
    "Invalid body: invalid type.": "",
    "This repository is already in the project.": "",
    "A run of this agent has a live process; cancel that run first.": "",
  };
  for (const [sentence, field] of Object.entries(sentences)) {
    expect(fieldOf(sentence), sentence).toBe(field);
  }
});

test("a refusal goes to its field, to the one its words speak of, or to the form", () => {
  const conflicts = { repo_path: /repository/, name: /that name/ };
  const at = (sentence: string) => refusalsOf(sentence, ["name", "repo_path"], conflicts);
  expect(at("`name` must not be blank.")).toEqual({ name: "`name` must not be blank." });
  const inside = "`provider_config.env.KEY` must be a string.";
  const places = ["provider_config", "provider_config.env", "provider_config.en"];
  expect(refusalsOf(inside, places)).toEqual({ "provider_config.env": inside });
  expect(Object.keys(at("This repository is already in the project."))).toEqual(["repo_path"]);
  expect(Object.keys(at("A repo of that name is already in the project."))).toEqual(["name"]);
  expect(Object.keys(at("Invalid body: invalid type."))).toEqual([""]);
});
