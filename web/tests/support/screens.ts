// Every screen of the page, on a server that has something to show on each.
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { Run } from "../../src/api/client";
import { Asker } from "./asker";
import { git, until, type TestServer } from "./server";

export interface Screen {
  /** Also the name of its picture. */
  name: string;
  path: string;
  /** Text that is there when the screen is. */
  ready: string | RegExp;
  /** What has to be done to see it. */
  act?: (page: Page) => Promise<void>;
}

const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name });

/** Opens an entry of a menu. */
function menu(opener: string | RegExp, entry: string) {
  return async (page: Page) => {
    await button(page, opener).first().click();
    await page.getByRole("menuitem", { name: entry }).click();
  };
}

/** Presses a button of the bar below a run's changes. */
const press = (name: string) => (page: Page) =>
  page.getByRole("region", { name: "Ship" }).getByRole("button", { name }).click();

/** What a person sees who never was here. */
export const FIRST: Screen[] = [
  { name: "welcome", path: "/runs", ready: "No runs yet" },
  { name: "first-project", path: "/runs/new", ready: "Which repository should agents work on?" },
  { name: "demo", path: "/runs/new?demo=true", ready: "Start demo run" },
  { name: "no-projects", path: "/projects", ready: /project/i },
  { name: "no-approvals", path: "/inbox", ready: "No questions" },
  { name: "no-usage", path: "/usage", ready: /usage/i },
];

/** Scrolls to an approval of the inbox. */
const toCard = (nth: number) => async (page: Page) => {
  const card = page.getByRole("article").nth(nth);
  await card.waitFor();
  await card.evaluate((element) => element.scrollIntoView());
};

/** An approval of each kind. */
async function askEverything(asker: Asker) {
  const rules = [{ toolName: "Bash", ruleContent: "npm test:*" }];
  await asker.ask({
    tool_name: "Bash",
    tool_input: {
      command: "npm test -- --run src/login && rm -rf build/cache",
      description: "Run the tests of the login and clean up",
      timeout: 120_000,
    },
    permission_suggestions: [
      { type: "addRules", rules, behavior: "allow", destination: "localSettings" },
      { type: "setMode", mode: "acceptEdits", destination: "session" },
    ],
  });
  await asker.ask({
    tool_name: "Edit",
    tool_input: {
      file_path: "/etc/hosts",
      old_string: "127.0.0.1 localhost\n::1 localhost\n",
      new_string: "127.0.0.1 localhost app.local\n::1 localhost\n10.0.0.1 db\n",
    },
  });
  const options = (...labels: string[]) =>
    labels.map((label) => ({ label, description: `What ${label} means, in a few words.` }));
  await asker.ask({
    tool_name: "AskUserQuestion",
    tool_input: {
      questions: [
        {
          question: "Which router?",
          header: "Router",
          multiSelect: false,
          options: options("The old one", "The new one"),
        },
        {
          question: "Which old links must keep working?",
          header: "Links",
          multiSelect: true,
          options: options("/settings", "/settings/models", "/prefs"),
        },
      ],
    },
  });
  const plan =
    "# Plan\n\n1. Add the route `/settings/$tab`.\n2. Redirect the old links:\n" +
    "   - `/settings` to `/settings/models`\n   - `/prefs` to `/settings/about`\n" +
    "3. Delete the old page.\n";
  await asker.ask({ tool_name: "ExitPlanMode", tool_input: { plan } });
}

/** Projects, agents and runs in every state, and the screens that show them. */
export async function furnish(server: TestServer): Promise<Screen[]> {
  const bare = await server.project("Empty rooms");
  const project = await server.project("Site");
  git(server.repo, "branch", "idea");
  const quick = { provider_config: { args: ["--pace", "5"] } };
  const builder = await server.agent(project.id, "demo", { name: "Builder", ...quick });
  const asking = await server.agent(project.id, "demo", {
    name: "Careful builder",
    provider_config: { args: ["--pace", "5", "--ask"] },
  });
  const failing = await server.agent(project.id, "command", {
    name: "Checker",
    provider_config: { command: ["sh", "-c", "echo no such thing >&2; exit 3"] },
  });
  const working = await server.agent(project.id, "command", {
    name: "Watcher",
    provider_config: { command: ["sh", "-c", "seq -f 'line %g of the build' 1 400; exec cat"] },
  });

  const absent = await server.agent(project.id, "command", {
    name: "Absent",
    provider_config: { command: ["/opt/no-such-program"] },
  });
  const halting = await server.agent(project.id, "command", {
    name: "Halting",
    provider_config: { command: ["sh", "-c", "echo press a key; kill -STOP $$; exec cat"] },
  });
  const neverBegun = await server.run(absent.id, "Begin with a program that is not there");
  await server.status(neverBegun.id, "failed");
  const halted = await server.run(halting.id, "Stop in the middle");
  await until("the stop", async () => {
    return (await server.get<Run>(`/api/runs/${halted.id}`)).process.stopped;
  });
  await server.call("PUT", `/api/projects/${project.id}`, { trusted_filters: ["git-crypt"] });

  const paused = await server.run(builder.id, "Write a greeting\n\nIn the style of the house.");
  await server.status(paused.id, "paused");
  const worktree = (await server.get<Run>(`/api/runs/${paused.id}`)).repos[0]?.worktree ?? "";
  const script = "export const greet = (name) => `Hello, ${name}`;\n".repeat(12);
  writeFileSync(join(worktree, "src/other.js"), script);
  writeFileSync(join(worktree, "logo.bin"), Buffer.from([0, 1, 2, 255, 0, 7]));
  const attention = await server.run(asking.id, "Look through the files and tell what is there");
  await until("the question", async () => {
    return (await server.get<Run>(`/api/runs/${attention.id}`)).attention;
  });
  const failed = await server.run(failing.id, "Check that the build is whole");
  await server.status(failed.id, "failed");
  const running = await server.run(working.id, "Watch the build");
  await server.status(running.id, "running");
  const cancelled = await server.run(working.id, "Watch the other build");
  await server.status(cancelled.id, "running");
  await server.post(`/api/runs/${cancelled.id}/cancel`);
  await server.status(cancelled.id, "cancelled");
  const begun = await server.run(builder.id, "Write a greeting\n\nIn the style of the house.");
  const second = await server.status(begun.id, "paused");
  await server.post(`/api/runs/${second.id}/commit`, { message: "Greet" });
  const readme = join(second.repos[0]?.worktree ?? "", "README.md");
  rmSync(readme);
  execFileSync("mkfifo", [readme]);

  const asker = await Asker.start(server, "Move the settings to the new router", project);
  await askEverything(asker);

  const tab = (run: Run, name: string) => `/runs/${run.id}/${name}`;
  const changes = tab(paused, "changes");
  const newRun = `/runs/new?project=${project.id}`;
  const project_ = `/projects/${project.id}`;
  return [
    { name: "runs", path: "/runs", ready: "Look through the files" },
    { name: "run-terminal", path: tab(attention, "terminal"), ready: "Needs you" },
    { name: "run-terminal-running", path: tab(running, "terminal"), ready: "Running" },
    { name: "run-terminal-failed", path: tab(failed, "terminal"), ready: "Failed" },
    { name: "run-activity", path: tab(paused, "activity"), ready: "Finished its turn" },
    { name: "run-approvals", path: tab(asker.run, "activity"), ready: "Permission to use Bash" },
    { name: "inbox", path: "/inbox", ready: "Further options" },
    { name: "inbox-edit", path: "/inbox", ready: "outside of the run", act: toCard(1) },
    { name: "inbox-questions", path: "/inbox", ready: "Which router?", act: toCard(2) },
    { name: "inbox-plan", path: "/inbox", ready: "Redirect the old links", act: toCard(3) },
    {
      name: "inbox-deny",
      path: "/inbox",
      ready: "Message to the agent",
      act: async (page) => {
        await button(page, "Deny…").first().click();
      },
    },
    { name: "run-activity-attention", path: tab(attention, "activity"), ready: "Needs you" },
    {
      name: "run-draft",
      path: tab(paused, "terminal"),
      ready: "Could not send the message",
      act: async (page) => {
        await page.locator(".xterm").click();
        await page.keyboard.type("half a thought");
        await until("the draft", async () => {
          return (await server.text(`/api/runs/${paused.id}/logs`)).includes("half a thought");
        });
        await page.getByRole("textbox", { name: "Message to the agent" }).fill("Go on");
        await page.getByRole("button", { name: "Continue", exact: true }).click();
      },
    },
    {
      name: "run-never-begun",
      path: tab(neverBegun, "activity"),
      ready: "The CLI never started. You can retry",
    },
    { name: "run-halted", path: tab(halted, "terminal"), ready: "Suspended" },
    { name: "run-tasks", path: tab(paused, "tasks"), ready: "Check the files" },
    { name: "run-changes", path: changes, ready: "Hello from the demo agent" },
    { name: "run-logs", path: tab(running, "logs"), ready: "line 400 of the build" },
    { name: "run-details", path: tab(paused, "details"), ready: "Session" },
    { name: "run-cancelled", path: tab(cancelled, "activity"), ready: "Cancelled" },
    { name: "commit", path: changes, ready: "Commit changes", act: press("Commit…") },
    {
      name: "pull-request",
      path: tab(second, "changes"),
      ready: "Open a pull request",
      act: press("Pull request…"),
    },
    { name: "left-out", path: tab(second, "changes"), ready: "cannot be read" },
    {
      name: "revert-left-out",
      path: tab(second, "changes"),
      ready: "Some of the work cannot be saved",
      act: async (page) => {
        await press("Revert…")(page);
        await page.getByRole("dialog").getByRole("button", { name: "Revert" }).click();
      },
    },
    { name: "revert", path: changes, ready: "Revert all changes?", act: press("Revert…") },
    {
      name: "rename",
      path: changes,
      ready: "in all repos of the run or in none",
      act: menu("More branch actions", "Rename branch…"),
    },
    {
      name: "delete-run",
      path: tab(failed, "details"),
      ready: "Delete this run?",
      act: menu("More actions", "Delete…"),
    },
    { name: "new-run", path: newRun, ready: "Start run" },
    {
      name: "past-tasks",
      path: newRun,
      ready: "Watch the other build",
      act: (page) => button(page, "Past tasks").click(),
    },
    {
      name: "compare",
      path: `/compare?runs=${paused.id},${second.id}`,
      ready: "Keep this one",
    },
    { name: "projects", path: "/projects", ready: "Empty rooms" },
    { name: "project-repos", path: `${project_}/repos`, ready: "site" },
    {
      name: "project-filters",
      path: `${project_}/repos`,
      ready: "Allow current definitions",
      act: (page) => page.getByLabel("Trusted filters").scrollIntoViewIfNeeded(),
    },
    { name: "project-agents", path: `${project_}/agents`, ready: "Careful builder" },
    {
      name: "agent-approvals",
      path: `${project_}/agents`,
      ready: "Minutes to answer",
      act: async (page) => {
        await button(page, "New agent").click();
        await button(page, /^Blank agent/).click();
        await page.getByLabel("Questions are answered").selectOption("remote");
      },
    },
    { name: "project-branches", path: `${project_}/branches`, ready: "idea" },
    {
      name: "project-merge",
      path: `${project_}/branches`,
      ready: "Merge branch",
      act: menu("More actions for idea", "Merge…"),
    },
    { name: "project-empty", path: `/projects/${bare.id}/agents`, ready: "No agent yet" },
    { name: "usage", path: "/usage", ready: "Tokens" },
    { name: "settings-models", path: "/settings/models", ready: "Demo" },
    { name: "settings-notifications", path: "/settings/notifications", ready: "Webhook" },
    { name: "settings-about", path: "/settings/about", ready: "abbado" },
    {
      name: "palette",
      path: changes,
      ready: "Theme: dark",
      act: (page) => button(page, "Open the command palette").click(),
    },
    {
      name: "keys",
      path: "/runs",
      ready: "Keyboard shortcuts",
      act: async (page) => {
        await page.getByText("Look through the files").first().waitFor(); // keys are heard by then
        await page.keyboard.press("Shift+?");
      },
    },
    { name: "no-page", path: "/settings/models/nowhere", ready: "Page not found" },
    {
      name: "no-run",
      path: "/runs/00000000-0000-4000-8000-000000000000/terminal",
      ready: "Run not found",
    },
  ];
}
