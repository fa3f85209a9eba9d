// The harness itself: the server comes up, comes back with its data, and leaves nothing behind.
import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser, SERVER_AWAY, WatchedPage } from "./support/browser";
import { TestServer, until } from "./support/server";

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(async () => {
  await server.remove();
  expect(existsSync(server.folder)).toBe(false);
});

test("the page shows a run, and again after kill -9 and a restart", async () => {
  const run = await server.command(["sh", "-c", "sleep 300"], "Sleep well");
  await server.status(run.id, "running");
  const browser = await launchBrowser();
  try {
    const seen = await WatchedPage.open(browser);
    await seen.page.goto(server.page(`/runs/${run.id}/details`));
    await seen.page.getByRole("heading", { name: "Sleep well" }).waitFor();
    seen.expectQuiet();
    const { base } = server;
    await server.kill();
    await seen.page.getByText("The server cannot be reached").waitFor();
    await server.restart();
    expect(server.base).toBe(base);
    await server.status(run.id, "running");
    await until("the banner goes", async () => {
      return (await seen.page.getByText("The server cannot be reached").count()) === 0;
    });
    seen.expectQuiet(SERVER_AWAY);
  } finally {
    await browser.close();
  }
});

test("what is asked for while the server is away is told or comes when it is back", async () => {
  const run = await server.command(["sh", "-c", "echo here it is; sleep 300"], "Wait for me");
  await server.status(run.id, "running");
  const browser = await launchBrowser();
  try {
    const seen = await WatchedPage.open(browser);
    const { page } = seen;
    const away = page.getByText("The server cannot be reached; what you see");
    const loading = page.getByRole("status", { name: "Loading" });
    const message = page.getByLabel("Message to the agent");
    await page.goto(server.page(`/runs/${run.id}/details`));
    await page.getByRole("heading", { name: "Wait for me" }).waitFor();
    await page.getByTestId("tab-details").locator("dl").first().waitFor();
    await message.fill("go on");

    await server.kill();
    await away.waitFor();
    await page.getByRole("button", { name: "Queue" }).click();
    await page.getByText("The message did not reach the agent").waitFor();
    await page.getByRole("link", { name: "Logs" }).click();
    await loading.waitFor();
    await server.restart();
    await page.getByTestId("tab-logs").getByText("here it is").waitFor();
    expect(await message.inputValue()).toBe("go on");

    await server.kill();
    await away.waitFor();
    await page.getByRole("link", { name: "Usage" }).click();
    await server.restart();
    await page.getByRole("heading", { name: "Usage" }).waitFor();
    expect(page.url()).toMatch(/\/usage$/);
    seen.expectQuiet(SERVER_AWAY);
  } finally {
    await browser.close();
  }
});

test("a page of an older build is loaded anew when it asks for a part that is gone", async () => {
  const run = await server.command(["sh", "-c", "echo here it is; sleep 300"], "Renew me");
  await server.status(run.id, "running");
  const browser = await launchBrowser();
  try {
    const seen = await WatchedPage.open(browser);
    const { page } = seen;
    await page.goto(server.page(`/runs/${run.id}/details`));
    await page.getByTestId("tab-details").locator("dl").first().waitFor();
    const gone: string[] = [];
    await page.route("**/assets/*.js", async (route) => {
      if (gone.length > 0) return route.continue();
      gone.push(route.request().url());
      return route.fulfill({ status: 404 });
    });
    await page.getByRole("link", { name: "Logs" }).click();
    await page.getByTestId("tab-logs").getByText("here it is").waitFor();
    expect(gone.length).toBe(1);
    seen.expectQuiet(/status of 404/);
  } finally {
    await browser.close();
  }
});
