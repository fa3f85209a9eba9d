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
