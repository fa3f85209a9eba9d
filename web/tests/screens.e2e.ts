// Every screen in both themes: axe-core finds nothing, the console stays empty. With
// `ABBADO_SCREENSHOTS=folder` each is also taken on a phone, and a picture of each is kept.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { barriers } from "./support/axe";
import { launchBrowser, WatchedPage, type View } from "./support/browser";
import { FIRST, furnish, type Screen } from "./support/screens";
import { TestServer } from "./support/server";

const PICTURES = process.env["ABBADO_SCREENSHOTS"];

const WIDE: View = { width: 1440, height: 900 };
const PHONE: View = { width: 390, height: 844, touch: true };
const VIEWS = PICTURES === undefined ? [WIDE] : [WIDE, PHONE];

/** What Chromium writes when a call is answered with "not there" or refused, which some screens show. */
const REFUSED = /status of 40[49]/;

let browser: Browser;
let empty: TestServer;
let server: TestServer;
const screens: [TestServer, Screen][] = [];
beforeAll(async () => {
  if (PICTURES !== undefined) mkdirSync(PICTURES, { recursive: true });
  browser = await launchBrowser();
  empty = await TestServer.start();
  server = await TestServer.start();
  const full = await furnish(server);
  screens.push(...FIRST.map((screen): [TestServer, Screen] => [empty, screen]));
  screens.push(...full.map((screen): [TestServer, Screen] => [server, screen]));
});
afterAll(async () => {
  await browser?.close();
  await empty?.remove();
  await server?.remove();
});

for (const view of VIEWS) {
  for (const dark of [false, true]) {
    const name = `${view.width}-${dark ? "dark" : "light"}`;
    test(`every screen at ${name}`, async () => {
      const watched = await WatchedPage.open(browser, { ...view, dark });
      const { page } = watched;
      const found: Record<string, string[]> = {};
      for (const [of, screen] of screens) {
        await page.goto(of.page(screen.path));
        try {
          await screen.act?.(page);
          await page.getByText(screen.ready).filter({ visible: true }).first().waitFor();
        } catch (error) {
          found[screen.name] = [`never seen: ${String(error)}`];
          continue;
        }
        const wrong = await barriers(page);
        if (wrong.length > 0) found[screen.name] = wrong;
        if (PICTURES !== undefined) {
          await page.waitForTimeout(300); // what comes late, such as a picture of the terminal
          await page.screenshot({ path: join(resolve(PICTURES), `${screen.name}-${name}.png`) });
        }
      }
      expect(found).toEqual({});
      watched.expectQuiet(REFUSED);
      await watched.close();
    });
  }
}
