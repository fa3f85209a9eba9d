// From an empty server to the first run, and several attempts at one task beside each other.
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Agent, Project, Run } from "../src/api/client";
import { launchBrowser, WatchedPage } from "./support/browser";
import { git, TestServer, until } from "./support/server";

let browser: Browser;
let server: TestServer;

beforeAll(async () => {
  browser = await launchBrowser();
  server = await TestServer.start();
});
afterAll(async () => {
  await server?.remove();
  await browser?.close();
});

const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name });

/** Chromium writes a line for each answer that is not 2xx; a refusal is what the test asks for. */
const REFUSED = /status of 40[049]/;

test("first visit: project by path completion, agent from a template, run", async () => {
  const watched = await WatchedPage.open(browser);
  const { page } = watched;
  await page.goto(server.page("/runs"));
  await page.getByRole("link", { name: "Create a project" }).click();

  const path = page.getByRole("combobox", { name: "Repository" });
  await path.fill(join(server.folder, "home", "nothere"));
  await button(page, "Create project").click();
  await page.getByText("the folder does not exist").waitFor();
  await expect.poll(() => path.getAttribute("aria-invalid")).toBe("true");
  expect(await server.get<Project[]>("/api/projects")).toEqual([]); // the half made one is gone

  await path.fill(join(server.folder, "home", "s"));
  await page.getByRole("option", { name: /site.*repository/ }).waitFor();
  await path.press("ArrowDown");
  await path.press("Enter");
  await expect.poll(() => path.inputValue()).toBe(server.repo);
  await expect.poll(() => page.getByLabel("Project name").inputValue()).toBe("site");
  await button(page, "Create project").click();

  await page.getByRole("heading", { name: "Add an agent to site" }).waitFor();
  await button(page, /^Test writer/).click();
  await page.getByLabel("CLI", { exact: true }).selectOption("demo");
  await page.getByLabel("Maximum turns").fill("0");
  await button(page, "Create agent").click();
  await page.getByText("`max_turns` must be 1 to 10000").waitFor();
  await page.getByLabel("Maximum turns").fill("20");
  await button(page, "Create agent").click();

  await page.getByLabel("Task").fill("Write a greeting");
  await page.getByLabel("Task").press("Control+Enter");
  await page.waitForURL(/\/runs\/[0-9a-f-]{36}\/terminal$/);
  await page.getByRole("heading", { name: "Write a greeting" }).waitFor();

  const [project] = await server.get<Project[]>("/api/projects");
  const [agent] = await server.get<Agent[]>(`/api/projects/${project?.id}/agents`);
  expect(agent).toMatchObject({ name: "Test writer", cli_name: "demo", max_turns: 20 });
  const [run] = await server.get<Run[]>("/api/runs");
  expect(run).toMatchObject({ task: "Write a greeting", agent_id: agent?.id });
  watched.expectQuiet(REFUSED);
  await watched.close();
});

test("several attempts at one task are compared, and one is kept", async () => {
  const watched = await WatchedPage.open(browser);
  const { page } = watched;
  await page.goto(server.page("/runs/new"));
  await page.getByLabel("Task").fill("Greet twice");
  await button(page, /More attempts by Test writer/).click();
  await button(page, "Start 2 runs").click();
  await page.waitForURL(/\/compare\?runs=/);
  const attempts = page.getByRole("list", { name: "Attempts" }).getByRole("listitem");
  await until("two attempts", async () => (await attempts.count()) === 2);

  const runs = (await server.get<Run[]>("/api/runs")).filter((run) => run.task === "Greet twice");
  expect(runs).toHaveLength(2);
  for (const run of runs) await server.status(run.id, "completed", "paused");
  const files = page.getByRole("region", { name: "Files" });
  const row = files.getByRole("button").first();
  await row.click();
  await until("a diff of each", async () => (await files.locator("pre").count()) === 2);
  await expect.poll(() => files.locator("pre").first().innerText()).toMatch(/^\+/m);

  await button(page, "Keep this one").first().click();
  await button(page, "Accept").click();
  await page.getByText(/Attempt 1 accepted and pushed/).waitFor();
  const kept = new URL(page.url()).searchParams.get("runs")?.replaceAll('"', "").split(",")[0];
  const branch = runs.find((run) => run.id === kept)?.run_branch ?? "";
  expect(git(join(server.folder, "remote.git"), "branch", "--list", branch)).toContain(branch);
  watched.expectQuiet();
  await watched.close();
});

test("a branch that is not merged is deleted only when told again, and its commits are kept", async () => {
  git(server.repo, "checkout", "-q", "-b", "idea");
  git(server.repo, "commit", "-q", "--allow-empty", "-m", "an idea");
  const commit = git(server.repo, "rev-parse", "HEAD");
  git(server.repo, "checkout", "-q", "main");
  const [project] = await server.get<Project[]>("/api/projects");
  const watched = await WatchedPage.open(browser);
  const { page } = watched;
  await page.goto(server.page(`/projects/${project?.id}/branches`));
  await button(page, "More actions for idea").click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  await page.getByText("It has 1 commit that main").waitFor();
  await button(page, "Delete branch").click();
  await page.getByText(`refs/abbado/deleted-branches/idea/${commit}`).waitFor();
  await button(page, "Delete anyway").click();
  await page.getByText("its commits are kept under refs/abbado").last().waitFor();
  await until("the dialog gone", async () => (await page.getByRole("dialog").count()) === 0);
  await until("the row gone", async () => (await button(page, /for idea$/).count()) === 0);
  expect(git(server.repo, "branch", "--list", "idea")).toBe("");
  expect(git(server.repo, "rev-parse", `refs/abbado/deleted-branches/idea/${commit}`)).toBe(commit);
  watched.expectQuiet(REFUSED);
  await watched.close();
});
