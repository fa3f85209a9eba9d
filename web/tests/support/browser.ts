// A real Chromium for tests of the page; each test gets a context of its own.
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { expect } from "vitest";
import { PATIENCE_MS } from "./server";

const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Chatter of a development server, of software rendering, and of xterm.js on a busy machine, which says
 * nothing about the page.
 */
const CHATTER = [
  /^\[vite\]/,
  /React DevTools/,
  /GL Driver Message/,
  /^task queue exceeded allotted deadline/,
];

/** The program is `ABBADO_CHROMIUM` or the system's; `more` are further flags. */
export function launchBrowser(...more: string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["ABBADO_CHROMIUM"] ?? "/usr/bin/chromium",
    args: [...ARGS, ...more],
  });
}

export interface View {
  width?: number;
  height?: number;
  dark?: boolean;
  /** A phone: touch, and a coarse pointer. */
  touch?: boolean;
}

/** A page that remembers what its console said and which errors nobody caught. */
export class WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly problems: string[] = [];

  private constructor(page: Page, context: BrowserContext) {
    this.page = page;
    this.context = context;
    page.on("console", (message) => {
      const text = message.text();
      if (!CHATTER.some((known) => known.test(text))) {
        this.problems.push(`console ${message.type()}: ${text} (${message.location().url})`);
      }
    });
    page.on("pageerror", (error) => this.problems.push(`error: ${error.stack ?? error.message}`));
  }

  static async open(browser: Browser, view: View = {}): Promise<WatchedPage> {
    const context = await browser.newContext({
      viewport: { width: view.width ?? 1440, height: view.height ?? 900 },
      colorScheme: view.dark === true ? "dark" : "light",
      hasTouch: view.touch === true,
      isMobile: view.touch === true,
      permissions: ["clipboard-read", "clipboard-write"],
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE_MS);
    return new WatchedPage(await context.newPage(), context);
  }

  /** Asserts that the console stayed empty, but for lines that match one of `allowed`. */
  expectQuiet(...allowed: RegExp[]) {
    const left = this.problems.filter((line) => !allowed.some((known) => known.test(line)));
    expect(left).toEqual([]);
  }

  async close() {
    await this.context.close();
  }
}

/** What Chromium itself writes when calls meet a server that is down. */
export const SERVER_AWAY =
  /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|SOCKET_NOT_CONNECTED)|WebSocket connection to|status of 50[0234]/;
