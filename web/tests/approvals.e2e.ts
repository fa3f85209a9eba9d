// Approvals in the inbox and on the page of their run: live, by keyboard and by touch.
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Run } from "../src/api/client";
import { Asker, type Question } from "./support/asker";
import { barriers } from "./support/axe";
import { launchBrowser, SERVER_AWAY, WatchedPage, type View } from "./support/browser";
import { TestServer, until } from "./support/server";

const bash = (command: string, suggestions?: unknown[]): Question => ({
  tool_use_id: `of ${command.slice(0, 20)}`,
  tool_name: "Bash",
  tool_input: { command, description: "Because" },
  ...(suggestions && { permission_suggestions: suggestions }),
});
const RULE = {
  type: "addRules",
  rules: [{ toolName: "Bash", ruleContent: "npm test:*" }],
  behavior: "allow",
  destination: "session",
};
const ROUTER = {
  question: "Which router?",
  header: "Router",
  multiSelect: false,
  options: ["Old", "New"].map((label) => ({ label, description: `The ${label} one` })),
};
const LINKS = {
  question: "Which links stay?",
  header: "Links",
  multiSelect: true,
  options: ["/a", "/b", "/c"].map((label) => ({ label, description: "" })),
};

/** What Chromium writes when a decision is refused, or a run is gone. */
const REFUSED = /status of 40[49]/;

let browser: Browser;
let server: TestServer;
let seen: WatchedPage | undefined;
beforeAll(async () => {
  browser = await launchBrowser();
  server = await TestServer.start();
});
afterEach(async () => {
  await seen?.close();
  seen = undefined;
  for (const run of await server.get<Run[]>("/api/runs")) {
    if (run.process.alive) await server.post(`/api/runs/${run.id}/cancel`);
    await server.status(run.id, "cancelled", "failed", "completed", "paused");
  }
});
afterAll(async () => {
  await browser?.close();
  await server?.remove();
});

async function open(path: string, view: View = {}): Promise<Page> {
  seen = await WatchedPage.open(browser, view);
  await seen.page.goto(server.page(path));
  return seen.page;
}

const quiet = (...allowed: RegExp[]) => seen?.expectQuiet(...allowed);
const button = (within: Page | Locator, name: string | RegExp) =>
  within.getByRole("button", { name });
const card = (page: Page, text: string) => page.getByRole("article").filter({ hasText: text });
const badge = (page: Page, count: number) =>
  page.getByLabel(`${count} open approval${count === 1 ? "" : "s"}`, { exact: true });
const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent ?? "");
const decision = (behavior: string, more: object = {}) => ({
  hookSpecificOutput: { decision: { behavior, ...more } },
});

test("an approval appears at once and is allowed by keyboard, with two keys", async () => {
  const asker = await Asker.start(server, "Fix the login");
  const page = await open("/runs");
  await page.getByText("Fix the login").first().waitFor();
  await page.keyboard.press("i");
  await page.getByText("No questions").waitFor();

  const first = await asker.ask(bash("npm test", [RULE]));
  await card(page, "npm test").waitFor();
  const second = await asker.ask(bash("rm -rf build"));
  await card(page, "rm -rf build").waitFor();
  await badge(page, 2).waitFor();
  await card(page, "npm test")
    .getByText("Allow Bash(npm test:*) (until the session ends)")
    .waitFor();
  await page.reload();
  await card(page, "rm -rf build").waitFor();

  await page.keyboard.press("a"); // only leads to the button
  expect(await focused(page)).toContain("Allow");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("Shift+A");
  expect(await focused(page)).toContain("Allow always");
  expect((await asker.approval(first.id))?.state).toBe("open");
  await page.keyboard.press("Enter");
  await card(page, "npm test").waitFor({ state: "detached" });
  expect(await first.answer).toMatchObject(decision("allow", { updatedPermissions: [RULE] }));

  // What follows is selected, and needs keys of its own.
  await until("the focus", async () => (await focused(page)).includes("rm -rf build"));
  await page.keyboard.press("Enter");
  expect((await asker.approval(second.id))?.state).toBe("open");
  await page.keyboard.press("a");
  await page.keyboard.press("Enter");
  expect(await second.answer).toMatchObject(decision("allow"));
  await page.getByText("No questions").waitFor();
  await badge(page, 1).waitFor({ state: "detached" });
  quiet();
});

test("it is denied with a message, and letters that are typed do nothing else", async () => {
  const asker = await Asker.start(server, "Clean up");
  const { answer } = await asker.ask(bash("rm -rf build"));
  const other = await asker.ask(bash("rm -rf dist"));
  const page = await open("/inbox");
  await card(page, "rm -rf dist").waitFor();
  await page.keyboard.press("d");
  const message = page.getByLabel("Message to the agent");
  await message.waitFor();
  await page.keyboard.press("Escape");
  await message.waitFor({ state: "detached" });
  await page.keyboard.press("d");
  await page.keyboard.type("add jank: keep it, it is needed");
  await page.keyboard.press("Enter");
  expect(await answer).toMatchObject(
    decision("deny", { message: "add jank: keep it, it is needed" }),
  );
  await card(page, "rm -rf build").waitFor({ state: "detached" });
  expect((await asker.approval(other.id))?.state).toBe("open");
  quiet();
});

test("questions are answered together: an option, several options and own words", async () => {
  const asker = await Asker.start(server, "Move the settings");
  const question = { tool_name: "AskUserQuestion", tool_input: { questions: [ROUTER, LINKS] } };
  const { answer } = await asker.ask(question);
  const page = await open("/inbox");
  const asked = card(page, "2 questions");
  await asked.waitFor();
  await page.keyboard.press("a");
  await page.keyboard.press("ArrowDown"); // radio buttons follow the arrows
  expect(await asked.getByRole("radio", { name: /New/ }).isChecked()).toBe(true);
  await button(asked, "Send answers").click();
  await asked.getByText("Choose or write an answer.").waitFor();
  await page.keyboard.press("Space"); // the focus is on what is missing
  await asked.getByLabel("Answer in your own words to: Which links stay?").fill("/d");
  await page.keyboard.press("Enter");
  expect(await answer).toMatchObject(
    decision("allow", {
      updatedInput: { answers: { "Which router?": "New", "Which links stay?": ["/a", "/d"] } },
    }),
  );
  await asked.waitFor({ state: "detached" });
  quiet();
});

test("what is closed elsewhere goes with a notice, also while the server was away", async () => {
  const asker = await Asker.start(server, "Write the docs");
  const [one, two, three] = [bash("echo one"), bash("echo two"), bash("echo three")];
  const first = await asker.ask(one);
  await asker.ask(two);
  const third = await asker.ask(three);
  const page = await open("/inbox");
  await card(page, "echo three").waitFor();
  const path = `/api/runs/${asker.run.id}/approvals`;
  await server.post(`${path}/${first.id}`, { decision: "allow" });
  await card(page, "echo one").waitFor({ state: "detached" });
  await page.getByText("Allowed elsewhere.").waitFor();
  await asker.answerInTerminal(two);
  await card(page, "echo two").waitFor({ state: "detached" });
  await page.getByText("Answered in the terminal.").waitFor();
  quiet();

  await server.kill();
  await page.getByText("The server cannot be reached").waitFor();
  await button(card(page, "echo three"), "Allow").click();
  await page.getByRole("alert").getByText("The server cannot be reached.").waitFor();
  await page.route("**/api/approvals*", (route) => route.abort()); // the page stays behind
  await server.restart();
  await server.post(`${path}/${third.id}`, { decision: "deny", message: "enough" });
  await page.getByText("The server cannot be reached. This page").waitFor({ state: "detached" });
  await button(card(page, "echo three"), "Allow").click();
  await page.getByText("Too late to decide").waitFor();
  await page.getByText(/The approval was decided through the API at .*: deny\./).waitFor();
  await card(page, "echo three").waitFor({ state: "detached" });
  quiet(SERVER_AWAY, REFUSED, /ERR_FAILED/);
});

test("the run's page has it above the activity, which tells what was decided", async () => {
  const asker = await Asker.start(server, "Change the greeting");
  const edit = {
    tool_name: "Edit",
    tool_input: { file_path: "/etc/motd", old_string: "Hello", new_string: "Good morning" },
  };
  const { answer } = await asker.ask(edit);
  const page = await open(`/runs/${asker.run.id}/terminal`);
  await page.getByRole("link", { name: /Activity.*1 to answer/ }).click();
  const asked = page.getByRole("region", { name: "Open approvals" });
  await asked.getByText("This file is outside of the run’s worktree.").waitFor();
  await asked.getByText("Good morning").waitFor();
  expect(await barriers(page)).toEqual([]);
  await page.locator('[data-kind="attention"]', { hasText: "use Edit" }).waitFor();
  await button(asked, "Deny…").click();
  await page.keyboard.type("not there");
  await button(asked, "Deny").click();
  expect(await answer).toMatchObject(decision("deny", { message: "not there" }));
  const told = page.locator('[data-kind="answer"]', { hasText: "Denied: not there · Edit" });
  await told.waitFor();
  await page.reload();
  await told.waitFor();
  expect(await asked.getByRole("article").count()).toBe(0);
  quiet();
});

test("the demo agent goes on with what was decided, and the CLI's terminal counts too", async () => {
  const project = await server.project("Demo");
  const agent = await server.agent(project.id, "demo", {
    provider_config: { approvals: "remote", args: ["--pace", "5"] },
  });
  const run = await server.run(agent.id, "Say hello");
  const page = await open("/inbox");
  const asked = page.getByRole("article").filter({ hasText: "List the files" });
  await asked.waitFor();
  await page.keyboard.press("a");
  await page.keyboard.press("Enter");
  await server.status(run.id, "paused");
  await asked.waitFor({ state: "detached" });
  await server.post(`/api/runs/${run.id}/continue`, { message: "Again" });
  await asked.waitFor();
  await page.keyboard.press("o");
  await page.waitForURL(/activity$/);
  await page.getByRole("region", { name: "Open approvals" }).getByText("List the files").waitFor();
  await page.getByRole("navigation", { name: "Run sections" }).getByText("Terminal").click();
  await page.getByRole("group", { name: /^Terminal/ }).click();
  await page.keyboard.type("y");
  await server.status(run.id, "paused");
  await page.getByRole("link", { name: /^Activity/ }).click();
  await button(page, "Messages").click(); // all rows may not fit on the screen
  await page.locator('[data-kind="answer"]', { hasText: "Answered in the terminal" }).waitFor();
  quiet();
});

for (const dark of [false, true]) {
  test(`on a phone, ${dark ? "dark" : "light"}`, async () => {
    const asker = await Asker.start(
      server,
      "A task with a long name that does not fit in one line",
    );
    const long = Array.from({ length: 80 }, (_, at) => `echo line ${at} ${"x".repeat(at)}`);
    const { answer } = await asker.ask(bash(long.join("\n"), [RULE]));
    const plan = `# Plan\n\n${"A step with a word that is quite long. ".repeat(40)}`;
    const approved = await asker.ask({ tool_name: "ExitPlanMode", tool_input: { plan } });
    const page = await open("/inbox", { width: 390, height: 844, touch: true, dark });
    await card(page, "A step with a word").waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBe(390);
    expect(await barriers(page)).toEqual([]);
    const command = card(page, "echo line 79");
    await command.getByText("80 lines").waitFor();
    expect(await command.locator("pre").first().textContent()).toContain(long.join("\n"));
    for (const name of ["Allow", "Allow always", "Deny…"]) {
      const box = await command.getByRole("button", { name, exact: true }).boundingBox();
      expect(box?.height, name).toBeGreaterThanOrEqual(36);
    }
    await command.getByRole("button", { name: "Allow", exact: true }).tap();
    expect(await answer).toMatchObject(decision("allow"));
    await command.waitFor({ state: "detached" });
    await page.waitForTimeout(600); // a tap just after the list moved does nothing
    await button(page, "Approve the plan").tap();
    expect(await approved.answer).toMatchObject(decision("allow", { updatedInput: { plan } }));
    await page.getByText("No questions").waitFor();
    quiet();
  });
}

test("an agent's form says where its questions are answered", async () => {
  const asker = await Asker.start(server, "Be configured");
  const page = await open(`/projects/${asker.run.project_id}/agents`);
  await button(page, "New agent").click();
  await button(page, /^Blank agent/).click();
  await page.getByLabel("Name").fill("Remote");
  const where = page.getByLabel("Questions are answered");
  await where.selectOption("remote");
  const minutes = page.getByLabel("Minutes to answer");
  await minutes.fill("0");
  await button(page, "Create agent").click();
  await page.getByText(/approval_minutes.*must be a number above 0/).waitFor();
  expect(await minutes.getAttribute("aria-invalid")).toBe("true");
  await minutes.fill("0.5");
  await page.getByLabel("CLI", { exact: true }).selectOption("gemini");
  await where.waitFor({ state: "detached" });
  await page.getByLabel("CLI", { exact: true }).selectOption("demo");
  await button(page, "Create agent").click();
  await page.getByText("Agent Remote saved.").waitFor();
  const agents = await server.get<{ name: string; provider_config: unknown }[]>(
    `/api/projects/${asker.run.project_id}/agents`,
  );
  const { provider_config: config } = agents.find(({ name }) => name === "Remote") ?? {};
  expect(config).toEqual({ approvals: "remote", approval_minutes: 0.5 });
  quiet(/status of 400/);
});
