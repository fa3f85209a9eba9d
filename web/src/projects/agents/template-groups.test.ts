import { expect, test } from "vitest";
import templates from "../../../../src/http/api/agent_templates.json";
import type { Template } from "@/api/client";
import { byGroup } from "./template-groups";

const all = templates as Template[];

test("all templates of the server, in six groups", () => {
  const groups = byGroup(all, "");
  expect(groups.map(({ group }) => group)).toEqual([
    "review",
    "coding",
    "testing",
    "documentation",
    "maintenance",
    "planning",
  ]);
  expect(groups.flatMap(({ templates }) => templates)).toHaveLength(all.length);
});

test("every word of the filter counts", () => {
  const names = (filter: string) =>
    byGroup(all, filter).flatMap(({ templates }) => templates.map(({ name }) => name));
  expect(names("flaky")).toEqual(["Flaky test mender"]);
  expect(names("security review")).toEqual(["Security reviewer"]);
  expect(names("nothing at all")).toEqual([]);
});
