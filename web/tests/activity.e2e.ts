// The Activity tab against the real server: what is grouped, what streams, what a link finds.
import { readFileSync } from "node:fs";
import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunEvent } from "../src/api/client";
import { barriers } from "./support/axe";
import { BigLog } from "./support/big-log";
import { launchBrowser, SERVER_AWAY, WatchedPage, type View } from "./support/browser";
import { TestServer, until } from "./support/server";

let server: TestServer;
let browser: Browser;
beforeAll(async () => {
  server = await TestServer.start();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.remove();
});

/** The part of the page that this file is about. */
const TAB = '[data-testid="tab-activity"]';

async function look(runId: string, query = "", view: View = {}): Promise<WatchedPage> {
  const seen = await WatchedPage.open(browser, view);
  await seen.page.goto(server.page(`/runs/${runId}/activity${query}`));
  await seen.page.locator("[data-activity-ready]").waitFor();
  return seen;
}

const row = (seen: WatchedPage, kind: string, text: string): Locator =>
  seen.page.locator(`[data-kind="${kind}"]`, { hasText: text });

/** The feed shows its last row. */
const atEnd = (seen: WatchedPage) =>
  seen.page.getByTestId("feed").evaluate((feed) => {
    return feed.scrollHeight - feed.clientHeight - feed.scrollTop < 2;
  });

async function hookRun(): Promise<BigLog> {
  return BigLog.open(server);
}

const toolUse = ({ payload }: RunEvent) =>
  "tool_use_id" in payload ? payload.tool_use_id : undefined;

const FIXTURES = new URL("../../tests/fixtures/claude/2.1.330/hooks/", import.meta.url);
/** A hook as a real CLI sent it, but for the session, which is this run's own. */
function fixture(name: string): { hook: string; payload: Record<string, unknown> } {
  const text = readFileSync(new URL(`${name}.json`, FIXTURES), "utf8");
  const payload = JSON.parse(text) as Record<string, unknown>;
  const hook = payload["hook_event_name"] as string;
  delete payload["session_id"];
  delete payload["transcript_path"];
  return { hook, payload };
}

test("a turn of a real run: prompt, what happened, result; calls are one line and open", async () => {
  const project = await server.project();
  const agent = await server.agent(project.id, "demo", {
    provider_config: { args: ["--pace", "5"] },
  });
  const run = await server.run(agent.id, "Say **hello** in a file");
  await server.status(run.id, "paused");
  const seen = await look(run.id);
  await row(seen, "prompt", "Turn 1 · Task").locator("strong", { hasText: "hello" }).waitFor();
  await row(seen, "message", "Done: HELLO.md is written").waitFor();
  await row(seen, "end", "Finished its turn · 9 tools").waitFor();
  await row(seen, "checkpoint", "Checkpoint 1").waitFor();
  // One line a call: nine calls with their results, the marks beside them.
  await expect.poll(() => seen.page.locator('[data-kind="tool"]').count()).toBe(9);
  const write = row(seen, "tool", "Write").filter({ hasText: "HELLO.md" });
  await expect.poll(() => write.innerText()).toMatch(/HELLO\.md\s+\+1 [-−]0/);
  await write.getByRole("button", { expanded: false }).click();
  const diff = write.getByRole("group", { name: "Changes to HELLO.md" });
  await diff.getByText("Hello from the demo agent: Say **hello** in a file").waitFor();
  const list = row(seen, "tool", "Bash");
  await list.getByRole("button", { expanded: false }).press("Enter");
  await list.getByText("$ ls").waitFor();
  await expect.poll(() => list.getByLabel("Output of Bash").innerText()).toContain("HELLO.md");
  expect(await barriers(seen.page, TAB)).toEqual([]);
  seen.expectQuiet();
  await seen.close();
});

test("tokens grow in one message without jumps, and its whole text takes their place", async () => {
  const log = await hookRun();
  await log.prompt("Tell me");
  const seen = await look(log.run.id);
  const text = Array.from({ length: 12 }, (_, at) => `Paragraph ${at} of **the answer**.`).join(
    "\n\n",
  );
  await log.token(text.slice(0, 40), "live");
  const message = row(seen, "message", "Paragraph 0");
  await message.waitFor();
  // Samples each frame: how high the message is, and where its first line stands in it.
  await message.evaluate((element) => {
    const samples: [height: number, top: number][] = [];
    (window as unknown as { samples: typeof samples }).samples = samples;
    const sample = () => {
      const first = element.querySelector("p")?.getBoundingClientRect();
      const box = element.getBoundingClientRect();
      if (first) samples.push([box.height, Math.round(first.top - box.top)]);
      if (element.isConnected) requestAnimationFrame(sample);
    };
    sample();
  });
  for (let at = 40; at < text.length; at += 25) await log.token(text.slice(at, at + 25), "live");
  await row(seen, "message", "Paragraph 11 of the answer.").waitFor();
  await log.stop([text]);
  await row(seen, "end", "Finished its turn").waitFor();
  // The message in the log has another id: it is known by its words.
  await expect.poll(() => seen.page.locator('[data-kind="message"]').count()).toBe(1);
  await until("it is drawn from the log", async () => {
    const details = await message.locator("strong").count();
    return details === 12;
  });
  await seen.page.waitForFunction(() => {
    const { samples } = window as unknown as { samples: unknown[] };
    return samples.length > 20;
  });
  const samples = await seen.page.evaluate(
    () => (window as unknown as { samples: [number, number][] }).samples,
  );
  const heights = samples.map(([height]) => height);
  expect(
    heights.every((height, at) => height >= (heights[at - 1] ?? 0)),
    heights.join(),
  ).toBe(true);
  expect(new Set(samples.map(([, top]) => top)).size).toBe(1);
  expect(await atEnd(seen)).toBe(true);
  seen.expectQuiet();
  await seen.close();
  log.close();
});

test("links to events are found again, also in the middle of a long log and in closed blocks", async () => {
  const log = await hookRun();
  await log.fill(6000);
  const target = (await server.events(log.run.id)).find(
    (event) => event.sequence > 2500 && event.event_type === "agent.tool_result",
  );
  if (!target) throw new Error("no result in the middle");
  const seen = await look(log.run.id, `?at=${target.sequence}`);
  const marked = seen.page.locator('[aria-current="true"][data-sequence]');
  await marked.waitFor();
  await until("the marked row is in sight", () =>
    marked.evaluate((element) => {
      const { top, bottom } = element.getBoundingClientRect();
      const feed = document.querySelector('[data-testid="feed"]')?.getBoundingClientRect();
      return feed !== undefined && top >= feed.top && bottom <= feed.bottom;
    }),
  );
  const id = toolUse(target);
  const call = (await server.events(log.run.id)).find(
    (event) => event.event_type === "agent.tool_call" && toolUse(event) === id,
  );
  await expect.poll(() => marked.getAttribute("data-sequence")).toBe(String(call?.sequence));
  // Its own link leads to the same row.
  await marked.hover();
  await marked.getByRole("button", { name: /Copy link to event/ }).click();
  const link = await seen.page.evaluate(() => navigator.clipboard.readText());
  expect(new URL(link).pathname + new URL(link).search).toBe(
    `/runs/${log.run.id}/activity?at=${call?.sequence}`,
  );
  await seen.page.getByRole("button", { name: "Jump to the end" }).click();
  await until("at the end", () => atEnd(seen));
  seen.expectQuiet();
  await seen.close();
  log.close();
});

test("a reader who scrolled up stays where they are and is told of what is new", async () => {
  const log = await hookRun();
  await log.fill(400);
  const seen = await look(log.run.id);
  await until("the feed begins at its end", () => atEnd(seen));
  const feed = seen.page.getByTestId("feed");
  await feed.hover();
  await seen.page.mouse.wheel(0, -1500);
  await seen.page.getByRole("button", { name: "Jump to the end" }).waitFor();
  const first = () =>
    seen.page.evaluate(() => {
      const top = document.querySelector('[data-testid="feed"]')?.getBoundingClientRect().top ?? 0;
      const rows = [...document.querySelectorAll("[data-sequence]")];
      const row = rows.find((row) => row.getBoundingClientRect().top >= top);
      return [row?.getAttribute("data-sequence"), row?.getBoundingClientRect().top];
    });
  // Rows that came into sight are read and drawn, until nothing moves any more.
  let before = await first();
  let still = 0;
  await until("nothing moves", async () => {
    const now = await first();
    still = String(now) === String(before) ? still + 1 : 0;
    before = now;
    return still >= 10;
  });
  await log.tools(6);
  const button = seen.page.getByRole("button", { name: "6 new" });
  await button.waitFor();
  expect(await first()).toEqual(before);
  await button.click();
  await until("at the end", () => atEnd(seen));
  await expect
    .poll(() => seen.page.getByRole("button", { name: /new|Jump to the end/ }).count())
    .toBe(0);
  await log.tools(3);
  await seen.page.locator(`[data-activity-ready="${await log.length()}"]`).waitFor();
  await until("it sticks to the end", () => atEnd(seen));
  seen.expectQuiet();
  await seen.close();
  log.close();
});

test("subagents are blocks with a count; kinds, words and the raw log can be chosen", async () => {
  const log = await hookRun();
  for (const name of [
    "UserPromptSubmit",
    "PreToolUse.Agent",
    "SubagentStart",
    "PostToolUse.Agent",
    "Stop.background",
    "PreToolUse.Bash.in-subagent",
    "PostToolUse.Bash.in-subagent",
    "SubagentStop",
    "PreToolUse.Bash",
    "PostToolUseFailure.Bash",
    "PermissionRequest.Bash",
    "PreCompact.manual",
  ]) {
    const { hook, payload } = fixture(name);
    await log.hook(hook, payload);
  }
  // A link to an event in a closed block opens the block.
  const call = (await server.events(log.run.id)).find(
    (event) => toolUse(event) === "toolu_4627ea1caf6441b6b401db8e",
  );
  const linked = await look(log.run.id, `?at=${call?.sequence}`);
  await linked.page.locator('[aria-current="true"]', { hasText: "echo sub" }).waitFor();
  linked.expectQuiet();
  await linked.close();

  const seen = await look(log.run.id);
  const agent = row(seen, "agent", "Subagent general-purpose");
  await agent.getByText("2 events").waitFor();
  await expect.poll(() => row(seen, "tool", "echo sub").count()).toBe(0);
  await agent.getByRole("button", { expanded: false }).click();
  const inner = row(seen, "tool", "echo sub");
  await inner.waitFor();
  const [outer, nested] = [await agent.boundingBox(), await inner.boundingBox()];
  expect(nested?.x).toBeGreaterThan((outer?.x ?? 0) + 10);
  await row(seen, "message", "sub done").waitFor();
  await row(seen, "attention", "touch /home/dev/run/x").waitFor();
  expect(await barriers(seen.page, TAB)).toEqual([]);

  const chip = (name: string) => seen.page.getByRole("button", { name, exact: true });
  await chip("Tools").click();
  await until("only tools are seen", async () => {
    const kinds = seen.page.locator("[data-kind]");
    const all = await kinds.evaluateAll((rows) => rows.map((row) => row.getAttribute("data-kind")));
    return all.length >= 3 && all.every((kind) => kind === "tool");
  });
  await chip("Messages").click();
  await row(seen, "prompt", "Write hello.txt").waitFor();
  await chip("All").click();

  // A word that stands in an output alone, which no row shows.
  await seen.page.keyboard.press("Shift+F");
  await seen.page.keyboard.type("noOutputExpected");
  await seen.page.getByText("0 found").waitFor();
  await seen.page.keyboard.press("Escape");
  await seen.page.keyboard.type("async_launched");
  await seen.page.getByText("1 found").waitFor();
  await row(seen, "tool", "Agent").waitFor();
  await seen.page.keyboard.press("Escape");

  await chip("Raw").click();
  const raw = seen.page.getByTestId("raw-feed");
  const head = await log.length();
  await raw.getByText("hook.received").first().waitFor();
  await expect.poll(() => raw.getByRole("listitem").count()).toBe(head);
  await raw.getByRole("button", { name: /agent\.subagent_stop/ }).click();
  await raw.getByText('"last_message": "sub done"').waitFor();
  expect(await barriers(seen.page, TAB)).toEqual([]);
  seen.expectQuiet();
  await seen.close();
  log.close();
});

test("what happens while the server is away is there when it is back", async () => {
  const log = await hookRun();
  await log.fill(300);
  const seen = await look(log.run.id);
  await server.kill();
  const banner = seen.page.getByText("The server cannot be reached");
  await banner.first().waitFor();
  // Rows that come into sight now are read when the server is back.
  await seen.page.getByTestId("feed").evaluate((feed) => feed.scrollTo(0, 0));
  await server.restart();
  await row(seen, "prompt", "make it right, and say what you changed.").waitFor();
  await until("the banner goes", async () => (await banner.count()) === 0);
  await row(seen, "prompt", "Turn 1").getByText("Work for long").waitFor();
  await seen.page.getByRole("button", { name: "Jump to the end" }).click();
  await log.tools(5);
  await seen.page.locator(`[data-activity-ready="${await log.length()}"]`).waitFor();
  const feed = await seen.page.locator("[data-sequence]").evaluateAll((rows) => {
    return rows.map((row) => Number(row.getAttribute("data-sequence")));
  });
  const ends = (await server.events(log.run.id))
    .filter(({ event_type: type }) => type === "agent.tool_call")
    .slice(-5);
  expect(feed.slice(-5)).toEqual(ends.map(({ sequence }) => sequence));
  seen.expectQuiet(SERVER_AWAY);
  await seen.close();
  log.close();
});

test("markdown of an agent can do nothing but be read", async () => {
  const log = await hookRun();
  await log.prompt("Show me");
  await log.stop([
    "<script>window.hit = 1</script><b>raw</b>\n\n" +
      "[bad](javascript:window.hit=1) [good](https://example.org/a)\n\n" +
      "![pixel](http://192.0.2.1/p.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |",
  ]);
  const seen = await look(log.run.id, "", { width: 390, height: 844, touch: true, dark: true });
  const message = row(seen, "message", "raw");
  const good = message.getByRole("link", { name: "good" });
  await good.waitFor();
  await expect.poll(() => good.getAttribute("rel")).toContain("noopener");
  await expect.poll(() => good.getAttribute("target")).toBe("_blank");
  expect(await message.innerHTML()).not.toContain("javascript:");
  await expect.poll(() => message.locator("script, b, img").count()).toBe(0);
  await expect.poll(() => message.getByRole("table").count()).toBe(1);
  expect(await seen.page.evaluate(() => "hit" in window)).toBe(false);
  expect(await barriers(seen.page, TAB)).toEqual([]);
  seen.expectQuiet();
  await seen.close();
  log.close();
});
