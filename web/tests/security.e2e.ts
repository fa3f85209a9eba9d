// Pages of others in a real Chromium, that try everything a page can: none gets in. And one of our
// own, which does, so that the check can fail.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { attack, Attacker, type Try } from "./support/attacker";
import { launchBrowser } from "./support/browser";
import { PATIENCE_MS, TestServer } from "./support/server";

const TOKEN = "a-good-token-of-forty-characters-0123456";
const GUESS = "a-wrong-token-of-forty-characters-01234";
const TASK = "a task that nobody else may read";

let browser: Browser;
let attacker: Attacker;

beforeAll(async () => {
  // A name that its owner has rebound to this machine.
  browser = await launchBrowser("--host-resolver-rules=MAP evil.example 127.0.0.1");
  attacker = await Attacker.start();
});
afterAll(async () => {
  await attacker.stop();
  await browser.close();
});

/** Where a page stands, and by which name it calls the server. */
interface Place {
  name: string;
  page: (port: string) => string;
  host: (port: string) => string;
  /** The rule of the gate that stops it. */
  rule: "host" | "origin";
  /** Its first page came from elsewhere, before the name was rebound. */
  rebound?: boolean;
  /** Windows that it opens are as sandboxed as itself. */
  sandboxed?: boolean;
}

const PLACES: Place[] = [
  {
    name: "another port of the same address",
    page: () => `http://127.0.0.1:${attacker.port}/`,
    host: (port) => `127.0.0.1:${port}`,
    rule: "origin",
  },
  {
    name: "another loopback name",
    page: () => `http://localhost:${attacker.port}/`,
    host: (port) => `127.0.0.1:${port}`,
    rule: "origin",
  },
  {
    name: "another port of the same name",
    page: () => `http://localhost:${attacker.port}/`,
    host: (port) => `localhost:${port}`,
    rule: "origin",
  },
  {
    name: "a page without an origin",
    page: () => `http://localhost:${attacker.port}/sandboxed`,
    host: (port) => `127.0.0.1:${port}`,
    rule: "origin",
    sandboxed: true,
  },
  {
    name: "another site",
    page: () => `http://evil.example:${attacker.port}/`,
    host: (port) => `127.0.0.1:${port}`,
    rule: "origin",
  },
  {
    name: "a rebound name",
    page: (port) => `http://evil.example:${port}/attack`,
    host: (port) => `evil.example:${port}`,
    rule: "host",
    rebound: true,
  },
];

async function refusals(server: TestServer, rule: string): Promise<number> {
  const page = await server.text("/api/metrics");
  const line = new RegExp(`^abbado_gate_refusals_total\\{rule="${rule}"\\} (\\d+)$`, "m");
  return Number(line.exec(page)?.[1]);
}

/** All that a page could have changed. */
async function state(server: TestServer) {
  return {
    head: await server.get("/api/events/head"),
    projects: await server.get("/api/projects"),
    runs: await server.get("/api/runs"),
    notifications: await server.get("/api/settings/notifications"),
    terminals: terminals(server),
  };
}

function terminals(server: TestServer): string[] {
  try {
    return readdirSync(join(server.folder, "data", "terminals"));
  } catch {
    return [];
  }
}

/** Frames of the page that show something of the server's. */
async function shown(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const frame of page.frames()) {
    if (frame === page.mainFrame()) continue;
    const html = await frame.content().catch(() => "");
    if (html.includes('id="root"') || html.includes(TASK) || html.includes("/assets/")) {
      found.push(`${frame.name()} at ${frame.url()}`);
    }
  }
  return found;
}

const gotIn = (tries: Try[]) => tries.filter(({ got }) => got).map(({ name }) => name);

describe.each([
  ["without a token", {}],
  ["with a token whose cookie the browser has", { ABBADO_TOKEN: TOKEN }],
])("a server %s", (_, env: Record<string, string>) => {
  let server: TestServer;
  let context: BrowserContext;
  let run: string;
  let port: string;

  beforeEach(async () => {
    server = await TestServer.start(env);
    port = new URL(server.base).port;
    run = (await server.command(["true"], TASK)).id;
    await server.status(run, "completed");
    context = await browser.newContext();
    context.setDefaultTimeout(PATIENCE_MS);
    if (env["ABBADO_TOKEN"] !== undefined) {
      for (const host of ["127.0.0.1", "localhost"]) {
        const page = await context.newPage();
        await page.goto(`http://${host}:${port}/?token=${TOKEN}`);
        expect(page.url()).not.toContain(TOKEN);
        await page.close();
      }
      expect((await context.cookies()).length).toBe(2);
    }
  });
  afterEach(async () => {
    await context.close();
    await server.remove();
  });

  test.each(PLACES)("keeps out a page of $name", async (place) => {
    const before = await state(server);
    const page = await context.newPage();
    if (place.rebound === true) {
      // What stands behind the name and its port changes under the page.
      await server.stop();
      const first = await Attacker.start(Number(port));
      await page.goto(place.page(port));
      await first.stop();
      await server.restart();
    } else {
      await page.goto(place.page(port));
    }
    const stopped = await refusals(server, place.rule);
    const base = `http://${place.host(port)}`;
    const tries = await page.evaluate(attack, { base, run, guess: GUESS });
    expect(tries.length).toBeGreaterThan(50);
    expect(gotIn(tries)).toEqual([]);
    expect(await shown(page)).toEqual([]);
    // A window of its own shows the UI, which its opener cannot touch. By a name that is not ours, or
    // in a sandbox, it shows nothing of it.
    const popup = await Promise.all([
      context.waitForEvent("page"),
      page.evaluate((url) => void window.open(url), `${base}/`),
    ]).then(([opened]) => opened);
    if (place.rule === "host" || place.sandboxed === true) {
      await popup.waitForLoadState();
      expect(await popup.content()).not.toContain('id="root"');
    } else {
      await popup.getByText(TASK).first().waitFor();
    }
    await popup.close();
    expect(await state(server)).toEqual(before);
    // It was our gate that stopped them, not the browser.
    expect((await refusals(server, place.rule)) - stopped).toBeGreaterThan(40);
    await page.close();
    // The person at the browser is not locked out by what the page guessed.
    const own = await context.newPage();
    const answer = await own.goto(`${server.base}/api/runs`);
    expect(answer?.status()).toBe(200);
    expect(await own.content()).toContain(TASK);
  });

  test("lets in a page of its own", async () => {
    const page = await context.newPage();
    await page.goto(`${server.base}/runs`);
    const tries = await page.evaluate(attack, { base: server.base, run, guess: TOKEN });
    const got = gotIn(tries);
    for (const name of [
      "read cors include",
      "json include",
      "hook json include",
      "put include",
      "xhr",
      "events",
      "terminal",
      "new terminal",
      "img /favicon.svg",
    ]) {
      expect(got).toContain(name);
    }
    const projects = await server.get<{ name: string }[]>("/api/projects");
    expect(projects.map(({ name }) => name)).toContain("stolen");
    // And what a frame shows would be seen.
    await page.goto(`http://127.0.0.1:${attacker.port}/`);
    await page.evaluate(async () => {
      const frame = document.createElement("iframe");
      frame.src = "/look-alike";
      const loaded = new Promise((go) => (frame.onload = go));
      document.body.append(frame);
      await loaded;
    });
    expect(await shown(page)).toHaveLength(1);
  });
});
