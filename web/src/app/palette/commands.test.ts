import { expect, test } from "vitest";
import type { Run } from "@/api/client";
import { commands, runCommands } from "./commands";

const run = (over: Partial<Run>): Run =>
  ({
    id: "r1",
    project_id: "p1",
    task: "Fix it\nwell",
    status: "paused",
    attention: null,
    session_id: "s",
    process: { alive: false, pid: null, exit_code: 0 },
    work: "changed",
    notify: false,
    updated_at: "2026-01-01T00:00:00.000Z",
    run_branch: "abbado/run-1",
    cli_name: "demo",
    ...over,
  }) as Run;
const ids = (of: Run) => runCommands(of).map(({ id }) => id);

test("a running run can be stopped and written to, not deleted", () => {
  const found = ids(
    run({ status: "running", process: { alive: true, pid: 1, exit_code: null, stopped: false } }),
  );
  expect(found).toEqual(expect.arrayContaining(["message", "pause", "cancel"]));
  expect(found).not.toContain("delete");
});

test("an ended run without a session can be deleted, not continued or stopped", () => {
  const found = ids(run({ status: "failed", session_id: null }));
  expect(found).toContain("delete");
  for (const id of ["message", "pause", "cancel"]) expect(found).not.toContain(id);
});

test("shipping is offered when there is something to ship", () => {
  const ships = (of: Run) => runCommands(of).some(({ label }) => label.startsWith("Commit"));
  expect([ships(run({})), ships(run({ work: "none" }))]).toEqual([true, false]);
});

test("ids are unique; the open run is not among the others; newest first", () => {
  const [a, b, c] = ["a", "b", "c"].map((id, at) =>
    run({ id, updated_at: `2026-01-0${at + 1}T00:00:00.000Z` }),
  ) as [Run, Run, Run];
  const groups = commands(b, [a, b, c], [{ id: "p1", name: "site" }]);
  const all = groups.flatMap((group) => group.commands.map(({ id }) => id));
  expect(new Set(all).size).toBe(all.length);
  expect(groups.find(({ title }) => title === "Runs")?.commands.map(({ id }) => id)).toEqual([
    "c",
    "a",
  ]);
  expect(groups[0]?.title).toBe("This run");
});
