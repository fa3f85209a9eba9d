// The whole way of a person through the page, from the first visit to work that is shipped and put
// away, with the server killed and the page loaded anew in the middle. Walked with the mouse, and
// again by keyboard alone.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Run } from "../src/api/client";
import { launchBrowser, SERVER_AWAY, WatchedPage } from "./support/browser";
import { Keyboard, Mouse, type Hands } from "./support/hands";
import { git, TestServer, until } from "./support/server";

const TASK = "Say hello in a file";
const COMMENT = "Greet me by name";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
});

const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name });
const tab = (page: Page, name: string) =>
  page.getByRole("navigation", { name: "Run sections" }).getByRole("link", { name });
const ship = (page: Page, name: string) =>
  page.getByRole("region", { name: "Ship" }).getByRole("button", { name, exact: true });
const inDialog = (page: Page, name: string) =>
  page.getByRole("dialog").getByRole("button", { name });

/** What the feed shows; how long something took or has lasted is left out, since that goes on. */
async function feed(page: Page): Promise<string[]> {
  await page.locator("[data-activity-ready]").waitFor();
  const rows = await page.locator("[data-kind]").allInnerTexts();
  return rows.map((row) => row.replace(/\d+(\.\d+)? ?(ms|s|min)\b/g, "…"));
}

/** The lines on the terminal's screen. */
async function screen(page: Page): Promise<string> {
  const rows = await page.locator(".xterm-accessibility-tree > *").allTextContents();
  return rows
    .map((row) => row.replace(/\u00a0/g, " ").trimEnd())
    .join("\n")
    .trimEnd();
}

async function needsPerson(page: Page) {
  await page.locator("header").getByText("Needs you").waitFor();
}

/** The agent stops in the middle of its first message until this file is there. */
const word = (server: TestServer) => join(server.folder, "go");

/** Project, agent and run, from an empty server. */
async function begin(server: TestServer, page: Page, hands: Hands): Promise<Run> {
  await page.goto(server.page("/"));
  await hands.press(page.getByRole("link", { name: "Create a project" }));
  const repository = page.getByRole("combobox", { name: "Repository" });
  await hands.write(repository, join(server.folder, "home", "s"));
  await hands.pick(repository, page.getByRole("option", { name: /site.*repository/ }));
  expect(await repository.inputValue()).toBe(server.repo);
  await hands.press(button(page, "Create project"));

  await hands.press(button(page, /^Test writer/));
  await hands.choose(page.getByLabel("CLI", { exact: true }), "Demo");
  await hands.press(page.locator("summary", { hasText: "Launch options" }));
  await hands.press(button(page, "Add argument"));
  await hands.write(page.getByLabel("Extra arguments, 1"), "--ask");
  await hands.press(button(page, "Add argument"));
  await hands.write(page.getByLabel("Extra arguments, 2"), `--hold=${word(server)}`);
  await hands.press(button(page, "Create agent"));

  await hands.write(page.getByLabel("Task"), TASK);
  await hands.press(button(page, "Start run"));
  await page.waitForURL(/\/runs\/[0-9a-f-]{36}\/terminal$/);
  const [run] = await server.get<Run[]>("/api/runs");
  if (!run) throw new Error("there is no run");
  return run;
}

/** A message is seen while it grows; then the server dies and the page is loaded anew. */
async function watch(server: TestServer, page: Page, hands: Hands) {
  await hands.press(tab(page, "Activity"));
  const message = page.locator('[data-kind="message"]').first();
  await message.getByText("I will plan").waitFor();
  expect(await message.innerText()).not.toContain("look at the result");
  writeFileSync(word(server), "");
  await message.getByText("and look at the result.").waitFor();
  await needsPerson(page);
  await page.locator("[data-kind]", { hasText: "asks for permission" }).waitFor();
  const before = await feed(page);
  expect(before.join("\n")).toContain("HELLO.md");

  await server.kill();
  await page.getByText("The server cannot be reached").waitFor();
  expect(await feed(page)).toEqual(before);
  await server.restart();
  await page.getByText("The server cannot be reached").waitFor({ state: "hidden" });
  await needsPerson(page);
  await until("the same feed", async () => (await feed(page)).join() === before.join());
  await page.reload();
  await needsPerson(page);
  await until("the same feed", async () => (await feed(page)).join() === before.join());
}

/** The agent's question is answered where it asks. */
async function answer(server: TestServer, page: Page, hands: Hands, run: Run) {
  await needsPerson(page);
  await hands.press(tab(page, "Terminal"));
  await until("the question", async () => (await screen(page)).endsWith("(y/n)"));
  await hands.answer(page.getByRole("group", { name: /^Terminal/ }), "y");
  await server.status(run.id, "paused");
  await page.locator("header").getByText("Paused").waitFor();
}

/** The diff is read, a line gets a comment, and the agent goes on with it. */
async function review(server: TestServer, page: Page, hands: Hands, run: Run) {
  await hands.press(tab(page, "Changes"));
  const lines = page.getByRole("group", { name: /^Lines of HELLO.md/ });
  await lines.getByText(`Hello from the demo agent: ${TASK}`).waitFor();
  await hands.comment(lines);
  await hands.write(page.getByRole("textbox", { name: "Comment on line 1" }), COMMENT);
  await hands.press(button(page, "Add comment"));
  await page.reload(); // a comment that was not sent is still there
  await hands.press(button(page, "Send to agent"));
  await answer(server, page, hands, run);
  const messages = (await server.events(run.id))
    .filter((event) => event.event_type === "user.message")
    .map((event) => event.payload["text"]);
  expect(messages).toHaveLength(1);
  expect(messages[0]).toContain(
    `1. HELLO.md, line 1:\n> Hello from the demo agent: ${TASK}\n${COMMENT}`,
  );
}

/** Commit, push, and the run put away. */
async function shipIt(server: TestServer, page: Page, hands: Hands, run: Run) {
  const worktree = run.repos[0]?.worktree ?? "";
  await hands.press(tab(page, "Changes"));
  await hands.press(ship(page, "Commit…"));
  await hands.press(inDialog(page, "Commit"));
  const came = page.getByRole("list", { name: "Results" });
  await came.getByText(`on ${run.run_branch}`).waitFor();
  const tip = git(worktree, "rev-parse", "HEAD");
  expect(git(worktree, "status", "--porcelain")).toBe("");
  expect(git(worktree, "log", "-1", "--format=%s")).toBe(TASK);

  await hands.press(ship(page, "Push"));
  await came.getByText(`${run.run_branch} pushed to`).waitFor();
  const remote = join(server.folder, "remote.git");
  expect(git(remote, "rev-parse", `refs/heads/${run.run_branch}`)).toBe(tip);
  const hello = readFileSync(join(worktree, "HELLO.md"), "utf8").trim();
  expect(git(remote, "show", `${tip}:HELLO.md`)).toBe(hello);
  expect(hello.split("\n").length, "one line a turn").toBe(2);

  await hands.press(button(page, "More actions"));
  await hands.press(page.getByRole("menuitem", { name: "Delete…" }));
  await hands.press(inDialog(page, "Delete run"));
  await page.getByText("Run deleted. Its work is kept for 30 days.").waitFor();
  await page.getByRole("heading", { name: "No runs yet" }).waitFor();
  expect(await server.get<Run[]>("/api/runs")).toEqual([]);
  expect(existsSync(worktree)).toBe(false);
  expect(git(remote, "rev-parse", `refs/heads/${run.run_branch}`)).toBe(tip);
}

const HANDS = [(page: Page): Hands => new Mouse(page), (page: Page): Hands => new Keyboard(page)];
for (const of of HANDS) {
  const name = of({} as Page).name;
  test(`from the first visit to work that is shipped and put away: ${name}`, async () => {
    const server = await TestServer.start();
    const watched = await WatchedPage.open(browser);
    try {
      const { page } = watched;
      // In this mode xterm keeps the screen as text beside what it draws.
      await page.addInitScript(() => localStorage.setItem("abbado.terminal.reader", "on"));
      const hands = of(page);
      const run = await begin(server, page, hands);
      await watch(server, page, hands);
      await answer(server, page, hands, run);
      const placed = await server.get<Run>(`/api/runs/${run.id}`);
      await review(server, page, hands, placed);
      await shipIt(server, page, hands, placed);
      watched.expectQuiet(SERVER_AWAY);
    } finally {
      await watched.close();
      await server.remove();
    }
  });
}
