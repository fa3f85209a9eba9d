import { expect, test } from "vitest";
import type { Agent } from "@/api/client";
import { BLANK, draftOf, draftOfCopy, faultsOf, fieldsOf, parseRest, STORED } from "./draft";

const agent: Agent = {
  id: "1",
  project_id: "2",
  name: "a",
  cli_name: "command",
  model: null,
  instructions: "i",
  allowed_tools: "Read",
  max_turns: 7,
  provider_config: {
    mode: "headless",
    bin: "/bin/x",
    args: ["-v", ""],
    command: ["sh", "-c", "echo\n{task}"],
    env: { KEY: STORED, PLAIN: "v" },
    other: { deep: [1] },
  },
  role: "builder",
  created_at: "2026-01-01T00:00:00.000Z",
  updated_at: "2026-01-01T00:00:00.000Z",
};

test("an agent goes through its form unchanged", () => {
  const { name, cli_name, model, instructions, allowed_tools } = agent;
  const { max_turns, provider_config, role } = agent;
  const texts = { name, cli_name, model, instructions, allowed_tools, role };
  const fields = { ...texts, max_turns, provider_config };
  expect(fieldsOf(draftOf(agent))).toEqual(fields);
  expect(faultsOf(draftOf(agent), ["KEY", "PLAIN"])).toEqual({});
});

test("only the adapter command keeps its argv, and defaults are left out", () => {
  expect(fieldsOf({ ...draftOf(agent), cli_name: "codex" }).provider_config).not.toHaveProperty(
    "command",
  );
  expect(fieldsOf({ ...BLANK, name: "b" }).provider_config).toEqual({});
});

test("a copy has a free name, and no value that is not shown", () => {
  const copy = draftOfCopy(agent, ["a", "a copy"]);
  expect(copy.name).toBe("a copy 2");
  expect(copy.env).toEqual([
    { name: "KEY", value: "" },
    { name: "PLAIN", value: "v" },
  ]);
});

test("a stored value does not move to another name", () => {
  const draft = { ...BLANK, env: [{ name: "NEW", value: STORED }] };
  expect(faultsOf(draft, ["OLD"])["provider_config.env"]).toContain("NEW");
  expect(faultsOf(draft, ["NEW"])).toEqual({});
});

test("faults are found before the server is asked", () => {
  const wrong = (change: Partial<typeof BLANK>) => Object.keys(faultsOf({ ...BLANK, ...change }));
  expect(wrong({})).toEqual([]);
  expect(wrong({ max_turns: "x" })).toEqual(["max_turns"]);
  expect(wrong({ max_turns: "1.5" })).toEqual(["max_turns"]);
  expect(wrong({ rest: "{" })).toEqual(["rest"]);
  expect(wrong({ env: [{ name: "A=B", value: "" }] })).toEqual(["provider_config.env"]);
  const twice = { name: "A", value: "1" };
  expect(wrong({ env: [twice, twice] })).toEqual(["provider_config.env"]);
  expect(wrong({ env: [{ name: "", value: "" }] })).toEqual([]);
});

test("the rest of the configuration is an object without keys that have a field", () => {
  expect(parseRest(" ")).toEqual({});
  expect(parseRest('{"a":1}')).toEqual({ a: 1 });
  for (const text of ["[]", "null", "1", "{", '{"env":{}}']) {
    expect(typeof parseRest(text), text).toBe("string");
  }
});

test("where questions are answered is kept for the CLIs that can, without defaults", () => {
  const config = (over: Partial<typeof BLANK>) =>
    fieldsOf({ ...BLANK, approvals: "remote", approval_minutes: "2,5", ...over }).provider_config;
  expect(config({})).toEqual({ approvals: "remote", approval_minutes: 2.5 });
  expect(config({ approval_minutes: " " })).toEqual({ approvals: "remote" });
  expect(config({ approvals: "terminal" })).toEqual({});
  expect(config({ cli_name: "gemini-cli" })).toEqual({});
  const provider_config = { approvals: "remote", approval_minutes: 0.5 };
  const draft = draftOf({ ...agent, cli_name: "codex", provider_config });
  expect(fieldsOf(draft).provider_config).toEqual(provider_config);
  const wrong = { ...draft, approval_minutes: "soon" };
  expect(Object.keys(faultsOf(wrong))).toEqual(["provider_config.approval_minutes"]);
  expect(faultsOf({ ...wrong, cli_name: "command" })).toEqual({});
});
