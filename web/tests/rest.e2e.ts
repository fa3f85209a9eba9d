// Palette, keys, settings, details, usage and notifications in a real browser.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Run } from "../src/api/client";
import { launchBrowser, WatchedPage } from "./support/browser";
import { TestServer, until } from "./support/server";

let browser: Browser;
let server: TestServer;
let watched: WatchedPage;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
});
beforeEach(async () => {
  server = await TestServer.start();
  watched = await WatchedPage.open(browser);
});
afterEach(async () => {
  await watched.close();
  await server.remove();
});

/** A run of the demo agent whose first turn is over. */
async function demoRun(task: string): Promise<Run> {
  const project = await server.project();
  const agent = await server.agent(project.id, "demo", {
    provider_config: { env: { DEMO_SECRET: "hidden-value" } },
  });
  const run = await server.run(agent.id, task);
  return server.status(run.id, "paused");
}

/** Opens the palette, and waits until it takes what is typed. */
async function openPalette(page: Page) {
  await page.keyboard.press("Control+k");
  const box = page.getByRole("dialog").getByRole("combobox");
  await until("the palette has the focus", () =>
    box.evaluate((element) => element === document.activeElement),
  );
}

test("the palette is not loaded before it is opened, and does what is possible now", async () => {
  const { page } = watched;
  const run = await demoRun("Write a greeting");
  const loaded: string[] = [];
  page.on("request", (request) => loaded.push(request.url()));
  await page.goto(server.page(`/runs/${run.id}/activity`));
  await page.getByRole("heading", { name: "Write a greeting" }).waitFor();
  expect(loaded.filter((url) => /palette(?!-state)/.test(url))).toEqual([]);

  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Command palette" });
  await palette.getByRole("option", { name: /^Continue with a message/ }).waitFor();
  await page.keyboard.type("details");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/details$/);
  await expect.poll(() => palette.count()).toBe(0);

  await openPalette(page);
  await page.keyboard.type("theme: dark");
  await page.keyboard.press("Enter");
  await until("the page is dark", () => page.locator("html[data-theme=dark]").count());

  await openPalette(page);
  await page.keyboard.type("continue");
  await page.keyboard.press("Enter");
  const box = page.getByRole("textbox", { name: "Message to the agent" });
  await until("the message box has the focus", () =>
    box.evaluate((element) => element === document.activeElement),
  );
  await page.keyboard.press("Escape");

  await openPalette(page);
  await page.keyboard.type("pause");
  await page.keyboard.press("Enter");
  await until("the CLI has ended", async () => {
    const now = await server.get<Run>(`/api/runs/${run.id}`);
    return !now.process.alive;
  });

  await openPalette(page);
  await page.keyboard.type("delete");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Delete run" }).click();
  await page.waitForURL(/\/runs$/);
  expect(await server.get<Run[]>("/api/runs")).toEqual([]);
  watched.expectQuiet();
});

test("the question mark lists the keys; Escape closes the list", async () => {
  const { page } = watched;
  await page.goto(server.page("/runs"));
  await page.getByRole("heading", { name: "No runs yet" }).waitFor();
  await page.keyboard.press("Shift+?");
  const dialog = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await dialog.getByText("Command palette").waitFor();
  await page.keyboard.press("Escape");
  await until("the list is closed", async () => (await dialog.count()) === 0);
  watched.expectQuiet();
});

interface Models {
  providers: { id: string; bin: string; models: { id: string; output_per_mtok: number }[] }[];
}

test("models are saved; what is refused is said at its field", async () => {
  const { page } = watched;
  await page.goto(server.page("/settings/models"));
  const codex = page.getByRole("region", { name: "Codex" });
  const program = codex.getByLabel("Program");
  await program.fill(" ");
  await page.getByRole("button", { name: "Save" }).click();
  await codex.getByText("Must name a program").waitFor();
  await expect.poll(() => program.getAttribute("aria-invalid")).toBe("true");

  await program.fill("my-codex");
  await codex.getByRole("button", { name: "Add a model to Codex" }).click();
  const ids = codex.getByRole("textbox", { name: /^Id of model/ });
  await ids.last().fill("my-model");
  const price = codex.getByLabel("Output of my-model, dollars per million tokens");
  await price.fill("2,5");
  await page.getByRole("button", { name: "Save" }).click();
  await codex.getByText("Must be an amount in dollars").waitFor();
  await price.fill("-1");
  await page.getByRole("button", { name: "Save" }).click();
  await codex.getByText("Must be 0 or greater").waitFor();
  await price.fill("2.5");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Models and prices saved.").waitFor();

  const saved = await server.get<Models>("/api/settings/models");
  const provider = saved.providers.find(({ id }) => id === "codex");
  expect(provider?.bin).toBe("my-codex");
  expect(provider?.models.at(-1)).toMatchObject({ id: "my-model", output_per_mtok: 2.5 });
  watched.expectQuiet(/settings\/models.*status of 400|status of 400.*settings\/models/);
});

test("a webhook that leads elsewhere is refused; switches are kept", async () => {
  const { page } = watched;
  await page.goto(server.page("/settings/notifications"));
  const url = page.getByLabel("Webhook URL");
  await url.fill("https://example.com/hook");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(/must be empty or start with/).waitFor();
  await url.fill("https://discord.com/api/webhooks/1/secret");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Remove webhook" }).waitFor();
  await expect.poll(() => url.getAttribute("type")).toBe("password");
  await page.getByLabel(/A run failed/).uncheck();
  await until("the switch is kept", async () => {
    const kept = await server.get<Record<string, unknown>>("/api/settings/notifications");
    return kept["notify_on_run_failed"] === false;
  });
  watched.expectQuiet(/status of 400/);
});

test("details and usage show a run, with the numbers behind each chart", async () => {
  const { page } = watched;
  const run = await demoRun("Write a greeting");
  await page.goto(server.page(`/runs/${run.id}/details`));
  const lanes = page.getByRole("figure", { name: "Where the time went" });
  await lanes.getByText("Data", { exact: true }).click();
  await expect.poll(() => lanes.getByRole("row").count()).toBe(2);
  const tools = page.getByRole("figure", { name: "Time by tool" });
  await tools.locator("svg .recharts-bar-rectangle").first().waitFor();
  await tools.getByText("Data", { exact: true }).click();
  await tools.getByRole("rowheader", { name: "Bash" }).waitFor();
  await page.getByText("DEMO_SECRET").waitFor();
  await expect.poll(() => page.getByText("hidden-value").count()).toBe(0);
  await page.getByRole("button", { name: "Copy the worktree's path of site" }).click();
  await page.getByRole("button", { name: "Copied the worktree's path of site" }).waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(run.repos[0]?.worktree);

  await page.getByRole("link", { name: "Usage" }).click();
  const outcomes = page.getByRole("figure", { name: "Runs per day by outcome" });
  await outcomes.locator("svg .recharts-bar-rectangle").first().waitFor();
  await outcomes.getByText("Data", { exact: true }).click();
  await expect
    .poll(() => outcomes.getByRole("cell").allTextContents())
    .toEqual(["1", "0", "0", "0"]);
  await page.getByLabel("Period").selectOption("7 days");
  await page.waitForURL(/days=7/);
  await page.getByRole("region", { name: "Totals by project" }).getByText("Site").waitFor();
  watched.expectQuiet();
});

/** Records notifications in place of the system's, in which a headless browser shows none. */
const RECORD = `
  window.told = [];
  window.Notification = class {
    static permission = "granted";
    constructor(title, options) { this.title = title; this.options = options; window.told.push(this); }
    close() {}
  };
`;

test("one page tells of a failure that nobody looks at, and a click opens the run", async () => {
  const project = await server.project();
  const agent = await server.agent(project.id, "command", {
    provider_config: { command: ["sh", "-c", "exit 3"] },
  });
  const { page, context } = watched;
  await context.addInitScript(RECORD);
  const second = await context.newPage();
  for (const open of [page, second]) {
    await open.goto(server.page("/runs"));
    await open.getByRole("heading", { name: "No runs yet" }).waitFor();
  }
  await until("one page leads", () =>
    page.evaluate(async () => {
      const { held } = await navigator.locks.query();
      return held?.some(({ name }) => name === "abbado.tell");
    }),
  );
  const run = await server.run(agent.id, "Break it");
  const titles = async () =>
    (
      await Promise.all(
        [page, second].map((open) =>
          open.evaluate(() =>
            (window as unknown as { told: { title: string }[] }).told.map(({ title }) => title),
          ),
        ),
      )
    ).flat();
  await until("a page has told", async () => (await titles()).length > 0);
  for (const open of [page, second]) {
    await until("the title counts", async () => (await open.title()).startsWith("(1) "));
  }
  expect(await titles()).toEqual(["Break it"]);
  const clicked = async (open: typeof page) =>
    open.evaluate(() => {
      const [told] = (window as unknown as { told: { onclick: () => void }[] }).told;
      told?.onclick();
      return told !== undefined;
    });
  const teller = (await clicked(page)) ? page : second;
  if (teller === second) await clicked(second);
  await teller.waitForURL(new RegExp(`/runs/${run.id}/terminal`));
  await until("the title has count and task", async () =>
    (await teller.title()).startsWith("(1) Break it"),
  );
});

test("on a phone no page of ours is wider than the screen", async () => {
  const run = await demoRun("Write a greeting with a rather long task that does not fit a phone");
  const phone = await WatchedPage.open(browser, { width: 390, height: 844, touch: true });
  try {
    for (const path of [
      "/runs",
      `/runs/${run.id}/details`,
      "/usage",
      "/settings/models",
      "/settings/notifications",
      "/settings/about",
    ]) {
      await phone.page.goto(server.page(path));
      await phone.page.getByRole("navigation", { name: "Main" }).waitFor();
      await phone.page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
      const wider = await phone.page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
      expect([path, wider]).toEqual([path, 0]);
      const small = await phone.page.locator("button:visible, nav a:visible").evaluateAll((all) =>
        all
          .map((element) => ({
            name: element.textContent || element.ariaLabel,
            box: element.getBoundingClientRect(),
          }))
          .filter(({ box }) => box.height < 36 || box.width < 36)
          .map(({ name, box }) => `${name} ${box.width}x${box.height}`),
      );
      expect([path, small]).toEqual([path, []]);
    }
    phone.expectQuiet();
  } finally {
    await phone.close();
  }
});
