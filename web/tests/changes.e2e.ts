// The changes of a run in a real browser: review, comment, ship, undo, with the demo agent.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Run } from "../src/api/client";
import { barriers } from "./support/axe";
import { launchBrowser, WatchedPage } from "./support/browser";
import { git, TestServer, until } from "./support/server";

let server: TestServer;
let browser: Browser;

beforeAll(async () => {
  server = await TestServer.start();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await server.remove();
});

/** A run of the demo agent whose first turn is over. */
async function demoRun(task: string): Promise<Run> {
  const project = await server.project(task);
  const agent = await server.agent(project.id, "demo");
  const { id } = await server.run(agent.id, task);
  return server.status(id, "paused");
}

/** Fails with what axe finds in the tab. */
const expectAccessible = async (page: Page) =>
  expect(await barriers(page, '[data-testid="tab-changes"]')).toEqual([]);

const worktree = (run: Run) => {
  const folder = run.repos[0]?.worktree;
  if (folder == null) throw new Error("the run has no worktree");
  return folder;
};
const lines = (page: Page, path: string) =>
  page.locator(`[data-file="${path}"] tr[data-state="diff"]`);
const ship = (page: Page) => page.getByRole("region", { name: "Ship" });

test("review, comment, send, commit, push, revert, undo", async () => {
  const run = await demoRun("Say hello in a file");
  const watched = await WatchedPage.open(browser);
  const { page } = watched;
  await page.goto(server.page(`/runs/${run.id}/changes`));

  // Review: the diff says what git says.
  await lines(page, "HELLO.md").first().waitFor();
  await expect
    .poll(() => page.getByRole("treeitem", { name: /^Added HELLO.md \+1/ }).count())
    .toBe(1);
  await expect
    .poll(() => lines(page, "HELLO.md").first().textContent())
    .toContain("Hello from the demo agent: Say hello in a file");
  await expect.poll(() => lines(page, "README.md").allTextContents()).toHaveLength(3);

  await expectAccessible(page);

  // A tick for what was seen outlives the page.
  await page.getByRole("checkbox", { name: "Viewed: README.md" }).check();
  await page.reload();
  await lines(page, "HELLO.md").first().waitFor();
  await expect
    .poll(() => page.getByRole("checkbox", { name: "Viewed: README.md" }).isChecked())
    .toBe(true);
  await expect.poll(() => lines(page, "README.md").count()).toBe(0); // folded

  // Comment by keyboard; it outlives the page too.
  await page.getByRole("group", { name: /^Lines of HELLO.md/ }).focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("m");
  await page.keyboard.type("Greet me by name");
  await page.keyboard.press("Control+Enter");
  // The focus is on the line again: m and Escape open and close without a comment.
  await page.keyboard.press("m");
  await page.getByRole("textbox", { name: "Comment on line 1" }).waitFor();
  await page.keyboard.press("Escape");
  await page.reload();
  await page.getByRole("button", { name: "1 comment" }).click();
  await expect.poll(() => page.getByRole("button", { name: "HELLO.md:1" }).count()).toBe(1);

  await expectAccessible(page);

  // Sent, it is one message, and the agent goes on.
  const before = (await server.events(run.id)).length;
  await page.getByRole("button", { name: "Send to agent" }).click();
  await page.getByRole("region", { name: "Comments for the agent" }).waitFor({ state: "hidden" });
  const events = await until("a second turn", async () => {
    const later = (await server.events(run.id)).slice(before);
    return later.some((event) => event.event_type === "run.paused") ? later : undefined;
  });
  const messages = events.filter((event) => event.event_type === "user.message");
  expect(messages.map((event) => event.payload["text"])).toEqual([
    "Review comments on your changes in site:\n\n" +
      "1. HELLO.md, line 1:\n> Hello from the demo agent: Say hello in a file\nGreet me by name",
  ]);
  expect(events.some((event) => event.event_type === "agent.tool_call")).toBe(true);
  // The page follows: a second line, and the tick of README.md is of an older diff.
  await until("the new line", async () => (await lines(page, "HELLO.md").count()) === 2);
  await until(
    "the tick is gone",
    async () => !(await page.getByRole("checkbox", { name: "Viewed: README.md" }).isChecked()),
  );

  // Commit, with the message that the task suggests.
  await ship(page).getByRole("button", { name: "Commit…" }).click();
  const message = page.getByRole("textbox", { name: "Message" });
  await expect.poll(() => message.inputValue()).toBe("Say hello in a file");
  await message.fill("Greet\n\nFrom the test.");
  await page.getByRole("dialog").getByRole("button", { name: "Commit" }).click();
  const came = page.getByRole("list", { name: "Results" });
  await came.getByText(`on ${run.run_branch}`).waitFor();
  const tip = git(worktree(run), "rev-parse", "HEAD");
  await expect.poll(() => came.textContent()).toContain(tip.slice(0, 10));
  expect(git(worktree(run), "log", "-1", "--format=%B")).toBe("Greet\n\nFrom the test.");
  await ship(page).getByRole("button", { name: "Commit…" }).waitFor({ state: "hidden" });

  // Push: the bare remote has the commit.
  await ship(page).getByRole("button", { name: "Push", exact: true }).click();
  await came.getByText(`${run.run_branch} pushed to`).waitFor();
  expect(git(join(server.folder, "remote.git"), "rev-parse", `refs/heads/${run.run_branch}`)).toBe(
    tip,
  );
  await ship(page).getByRole("button", { name: "Push", exact: true }).waitFor({ state: "hidden" });

  // Revert takes files and branch back; Undo brings the files again.
  const hello = join(worktree(run), "HELLO.md");
  const text = readFileSync(hello, "utf8");
  await ship(page).getByRole("button", { name: "Revert…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revert" }).click();
  await page.getByRole("heading", { name: "No changes yet" }).waitFor();
  expect(existsSync(hello)).toBe(false);
  expect(git(worktree(run), "rev-parse", "HEAD")).toBe(run.repos[0]?.base_commit);
  await page.getByRole("button", { name: "Undo" }).click();
  await lines(page, "HELLO.md").first().waitFor();
  expect(readFileSync(hello, "utf8")).toBe(text);
  await page.getByRole("listitem").filter({ hasText: "Before revert" }).waitFor();
  watched.expectQuiet();
  await watched.close();
});

test("what cannot be kept is named, and goes only when somebody says so", async () => {
  const run = await demoRun("Keep what can be kept");
  const readme = join(worktree(run), "README.md");
  const pipe = () => {
    rmSync(readme);
    execFileSync("mkfifo", [readme]);
  };
  pipe();
  const watched = await WatchedPage.open(browser);
  const { page } = watched;
  const dialog = page.getByRole("dialog");
  await page.goto(server.page(`/runs/${run.id}/changes`));
  await page.getByTestId("left-out").getByText("README.md: it is a pipe").waitFor();
  await lines(page, "HELLO.md").first().waitFor();
  await expectAccessible(page);

  // The server's refusal becomes a question with the paths; no answer changes nothing.
  await ship(page).getByRole("button", { name: "Revert…" }).click();
  await dialog.getByRole("button", { name: "Revert", exact: true }).click();
  await page.getByRole("heading", { name: "Some of the work cannot be saved" }).waitFor();
  await expect
    .poll(() => dialog.getByRole("listitem").allTextContents())
    .toEqual(["site: 'README.md' (it is a pipe, which has no contents to save)"]);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  expect(statSync(readme).isFIFO()).toBe(true);
  expect(existsSync(join(worktree(run), "HELLO.md"))).toBe(true);

  await ship(page).getByRole("button", { name: "Revert…" }).click();
  await dialog.getByRole("button", { name: "Revert", exact: true }).click();
  await dialog.getByRole("button", { name: "Revert anyway" }).click();
  await page.getByText("All changes reverted, without README.md").waitFor();
  expect(readFileSync(readme, "utf8")).toBe("# site\n");
  const before = page.getByRole("listitem").filter({ hasText: "Before revert" });
  await before.getByRole("img", { name: "incomplete" }).waitFor();
  await page.getByTestId("left-out").waitFor({ state: "hidden" });

  // Deletion asks the same.
  pipe();
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  await dialog.getByRole("button", { name: "Delete run" }).click();
  await dialog.getByText("site: 'README.md'").waitFor();
  expect(existsSync(worktree(run))).toBe(true);
  await dialog.getByRole("button", { name: "Delete run anyway" }).click();
  await page.waitForURL(/\/runs$/);
  expect(existsSync(worktree(run))).toBe(false);
  watched.expectQuiet(/status of 409/);
  await watched.close();
});

test("an older turn is restored from the timeline, and that is undone", async () => {
  const run = await demoRun("Write two turns");
  await server.post(`/api/runs/${run.id}/continue`, { message: "Once more" });
  await until("a second checkpoint", async () => {
    const kept = await server.get<unknown[]>(`/api/runs/${run.id}/checkpoints`);
    return kept.length === 2;
  });
  await server.status(run.id, "paused");
  const hello = join(worktree(run), "HELLO.md");
  const two = readFileSync(hello, "utf8");
  const watched = await WatchedPage.open(browser);
  const { page } = watched;
  await page.goto(server.page(`/runs/${run.id}/changes`));
  await page.getByRole("button", { name: /^Restore Turn 1 / }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
  await page.getByText("Turn 1 restored").waitFor();
  expect(readFileSync(hello, "utf8")).toBe(two.split("\n")[0] + "\n");
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("Previous state restored").waitFor();
  expect(readFileSync(hello, "utf8")).toBe(two);
  watched.expectQuiet();
  await watched.close();
});

test("while the agent works comments queue, and nothing is replaced under it", async () => {
  const project = await server.project("working");
  const agent = await server.agent(project.id, "command", {
    provider_config: { command: ["sh", "-c", "echo new > new.txt; exec sleep 600"] },
  });
  const { id } = await server.run(agent.id, "Work for long");
  const run = await server.status(id, "running");
  await until("the file", () => existsSync(join(worktree(run), "new.txt")));
  const watched = await WatchedPage.open(browser, { width: 390, height: 844, touch: true });
  const { page } = watched;
  await page.goto(server.page(`/runs/${id}/changes`));
  await lines(page, "new.txt").first().waitFor();
  await expect.poll(() => ship(page).getByRole("button", { name: "Revert…" }).count()).toBe(0);
  // A tap on the line's number opens the editor.
  await lines(page, "new.txt").first().locator("td").first().tap();
  await page.getByRole("textbox", { name: "Comment on line 1" }).fill("Call it old");
  await page.getByRole("button", { name: "Add comment" }).click();
  await page.getByRole("button", { name: "Queue for the agent" }).click();
  await until("the message waits", async () => {
    const queue = await server.get<{ message: string }[]>(`/api/runs/${id}/queue`);
    return queue[0]?.message.includes("1. new.txt, line 1:\n> new\nCall it old");
  });
  // A push that cannot be says so in the page, in the server's words, and can be tried again.
  await server.post(`/api/runs/${id}/commit`, { message: "by hand" });
  const hook = join(server.folder, "remote.git", "hooks", "pre-receive");
  writeFileSync(hook, "#!/bin/sh\necho closed on sundays >&2\nexit 1\n", { mode: 0o755 });
  await ship(page).getByRole("button", { name: "Push", exact: true }).click();
  const refused = page.getByRole("list", { name: "Results" }).getByRole("alert");
  await refused.waitFor();
  await expect.poll(() => refused.textContent()).toContain("Nothing was pushed.");
  writeFileSync(hook, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText(`${run.run_branch} pushed to`).waitFor();
  // Chromium's own line about the 502 is the only one.
  watched.expectQuiet(/status of 502/);
  await watched.close();
});

test("what is no text has a line of its own, and thousands of files are not made at once", async () => {
  const make = [
    'printf "a\\0b" > data.bin',
    ": > empty.txt",
    "git mv src/other.js src/renamed.js",
    "ln -s README.md link",
    'head -c 1500000 /dev/zero | tr "\\0" x > big.txt',
    "seq 5000 > numbers.txt",
    'printf x > "$(printf "odd\\377")"',
    "mkdir many; i=0; while [ $i -lt 2000 ]; do echo $i > many/f$i.txt; i=$((i+1)); done",
  ].join("\n");
  const project = await server.project("odd files");
  const agent = await server.agent(project.id, "command", {
    provider_config: { command: ["sh", "-c", make] },
  });
  const { id } = await server.run(agent.id, "Make odd files");
  await server.status(id, "completed");
  const watched = await WatchedPage.open(browser);
  const { page } = watched;
  await page.goto(server.page(`/runs/${id}/changes`));
  await lines(page, "many/f0.txt").first().waitFor();
  await expect.poll(() => page.locator("[data-file]").count()).toBeLessThan(30);
  const said = {
    "data.bin": "A binary file",
    "empty.txt": "An empty file",
    "renamed.js": "Renamed with no change",
    link: "A symbolic link",
    "big.txt": "Larger than 1 MiB",
    "numbers.txt": "5,001 lines are collapsed",
    "odd�": "Its name is not valid UTF-8",
  };
  const filter = page.getByRole("searchbox", { name: "Filter the files" });
  for (const [name, note] of Object.entries(said)) {
    await filter.fill(name.replace("�", ""));
    await page.getByRole("treeitem", { name: new RegExp(` ${name.replace(".", "\\.")}`) }).click();
    await page.locator(`[data-file$="${name}"]`).getByText(note).waitFor();
  }
  await filter.fill("numbers");
  await page.getByRole("treeitem", { name: / numbers.txt/ }).click();
  await page.getByRole("button", { name: "Show the lines of numbers.txt" }).click();
  await lines(page, "numbers.txt").first().waitFor();
  await expect.poll(() => lines(page, "numbers.txt").count()).toBeLessThan(2000);
  watched.expectQuiet();
  await watched.close();
});
