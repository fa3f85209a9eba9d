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

/** A run's details in a browser of their own, which is closed after `act`. */
async function onDetails(task: string, act: (seen: WatchedPage, runId: string) => Promise<void>) {
  const run = await server.command(["sh", "-c", "echo here it is; sleep 300"], task);
  await server.status(run.id, "running");
  const browser = await launchBrowser();
  try {
    const seen = await WatchedPage.open(browser);
    await seen.page.goto(server.page(`/runs/${run.id}/details`));
    await seen.page.getByRole("heading", { name: task }).waitFor();
    await act(seen, run.id);
  } finally {
    await browser.close();
  }
}

test("the page shows a run, and again after kill -9 and a restart", () =>
  onDetails("Sleep well", async (seen, runId) => {
    seen.expectQuiet();
    const { base } = server;
    await server.kill();
    await seen.page.getByText("The server cannot be reached").waitFor();
    await server.restart();
    expect(server.base).toBe(base);
    await server.status(runId, "running");
    await until("the banner goes", async () => {
      return (await seen.page.getByText("The server cannot be reached").count()) === 0;
    });
    seen.expectQuiet(SERVER_AWAY);
  }));

test("what is asked for while the server is away is told or comes when it is back", () =>
  onDetails("Wait for me", async (seen) => {
    const { page } = seen;
    const away = page.getByText("The server cannot be reached. This page is");
    const loading = page.getByRole("status", { name: "Loading" });
    const message = page.getByLabel("Message to the agent");
    await page.getByTestId("tab-details").locator("dl").first().waitFor();
    await page.locator("section[aria-label^=Notifications]").waitFor({ state: "attached" });
    await message.fill("go on");

    await server.kill();
    await away.waitFor();
    await page.getByRole("button", { name: "Queue" }).click();
    await page.getByText("Could not send the message").waitFor();
    await page.getByRole("link", { name: "Logs" }).click();
    await loading.waitFor();
    await server.restart();
    await page.getByTestId("tab-logs").getByText("here it is").waitFor();
    await expect.poll(() => message.inputValue()).toBe("go on");

    await server.kill();
    await away.waitFor();
    await page.getByRole("link", { name: "Usage" }).click();
    await server.restart();
    await page.getByRole("heading", { name: "Usage" }).waitFor();
    expect(page.url()).toMatch(/\/usage$/);
    seen.expectQuiet(SERVER_AWAY);
  }));

test("a page of an older build is loaded anew when it asks for a part that is gone", () =>
  onDetails("Renew me", async (seen) => {
    const { page } = seen;
    await page.getByTestId("tab-details").locator("dl").first().waitFor();
    const gone: string[] = [];
    await page.route("**/assets/tab-*.js", async (route) => {
      if (gone.length > 0) return route.continue();
      gone.push(route.request().url());
      return route.fulfill({ status: 404 });
    });
    const anew = page.waitForEvent("load");
    await page.getByRole("link", { name: "Logs" }).click();
    await anew;
    await page.getByTestId("tab-logs").getByText("here it is").waitFor();
    expect(gone.length).toBe(1);
    seen.expectQuiet(/status of 404/);
  }));
