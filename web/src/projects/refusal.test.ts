import { expect, test } from "vitest";
import { CallError } from "@/api/client";
import { refusalsOf } from "./refusal";

const invalid = (field: string, why: string) =>
  new CallError(400, `\`${field}\` ${why}`, "invalid", field);

test("a refusal goes to its field, to the one of its code, or to the form", () => {
  const conflicts = { repo_path: "repository_taken", name: "name_taken" };
  const at = (error: unknown) => refusalsOf(error, ["name", "repo_path"], conflicts);
  expect(at(invalid("name", "must not be blank."))).toEqual({ name: "`name` must not be blank." });
  expect(Object.keys(at(invalid("cli_name", "'zz' is not supported.")))).toEqual([""]);
  const inside = invalid("provider_config.env.KEY", "must be a string.");
  const places = ["provider_config", "provider_config.env", "provider_config.en"];
  expect(refusalsOf(inside, places)).toEqual({
    "provider_config.env": "`provider_config.env.KEY` must be a string.",
  });
  const taken = (code: string) => new CallError(409, "It is taken.", code);
  expect(at(taken("repository_taken"))).toEqual({ repo_path: "It is taken." });
  expect(at(taken("name_taken"))).toEqual({ name: "It is taken." });
  expect(at(taken("conflict"))).toEqual({ "": "It is taken." });
  expect(at(new CallError(400, "Invalid body: invalid type.", "malformed"))).toEqual({
    "": "Invalid body: invalid type.",
  });
  expect(at(new Error("b: not pushed"))).toEqual({ "": "b: not pushed" });
});
