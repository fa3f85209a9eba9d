// The terminal of a run, in a real browser against the real server.
import { readFile, writeFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launchBrowser, SERVER_AWAY, WatchedPage, type View } from "./support/browser";
import { TestServer, until } from "./support/server";

let server: TestServer;
let browser: Browser;
let seen: WatchedPage;

beforeAll(async () => {
  server = await TestServer.start();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await server.remove();
});
beforeEach(async () => {
  seen = await WatchedPage.open(browser);
});
afterEach(async () => {
  await seen.close();
});

async function open(runId: string, tab = "terminal", view?: View) {
  if (view) {
    await seen.close();
    seen = await WatchedPage.open(browser, view);
  }
  // In this mode xterm keeps the screen as text beside what it draws.
  await seen.page.addInitScript(() => localStorage.setItem("abbado.terminal.reader", "on"));
  await seen.page.goto(server.page(`/runs/${runId}/${tab}`));
}

/** The lines on the screen, empty ones left out. */
async function screen(): Promise<string[]> {
  const rows = await seen.page.locator(".xterm-accessibility-tree > *").allTextContents();
  return rows.map((row) => row.replace(/\u00a0/g, " ").trimEnd()).filter((row) => row !== "");
}

const shows = (text: string) =>
  until(`"${text}" on the screen`, async () =>
    (await screen()).some((line) => line.includes(text)),
  ).catch(async (error: unknown) => {
    throw new Error(`${String(error)}\n${(await screen()).join("\n")}`);
  });

async function type(text: string) {
  await seen.page.getByTestId("terminal").click();
  await seen.page.keyboard.type(text);
}

/** How often the text is found in screen and scrollback, by the page's own search. */
async function finds(text: string): Promise<string> {
  const { page } = seen;
  await page.getByRole("button", { name: "Search the terminal" }).click();
  await page.getByRole("textbox", { name: "Text to find" }).fill(text);
  const told = page.getByRole("search").getByRole("status");
  const found = await until("the search tells", async () => (await told.textContent()) || null);
  await page.getByRole("button", { name: "Close search" }).click();
  return found;
}

const state = () => seen.page.getByTestId("terminal-state");

test("what is typed reaches the program, and its answer the screen", async () => {
  const run = await server.command(["sh", "-c", "echo begin; exec cat"]);
  await open(run.id);
  await shows("begin");
  await type("hello there\n");
  await until("the echo and the answer of cat", async () => {
    return (await screen()).filter((line) => line === "hello there").length === 2;
  });
  seen.expectQuiet();
});

test("the program gets the size of the pane, and Escape; the chord gives the focus back", async () => {
  const run = await server.command(["bash", "--norc", "-i"]);
  await open(run.id);
  await shows("bash");
  await type("echo size $(stty size)\n");
  await shows("size ");
  const size = () => screen().then((lines) => lines.find((line) => /^size \d/.test(line)) ?? "");
  const [, rows, cols] = (await until("the size", size)).split(" ").map(Number);
  expect(rows).toBeGreaterThan(30);
  expect(cols).toBeGreaterThan(100);
  await type("read -rsn1 key; printf 'key %d\\n' \"'$key\"\n");
  await seen.page.keyboard.press("Escape");
  await shows("key 27");
  await seen.page.keyboard.press("Control+Shift+Period");
  const pane = seen.page.getByRole("group", { name: "Terminal. Press Enter to type into it." });
  expect(await pane.evaluate((element) => element === document.activeElement)).toBe(true);
  await seen.page.keyboard.press("Enter");
  await seen.page.keyboard.type("echo back-$((40+2))\n");
  await shows("back-42");
  seen.expectQuiet();
});

test("a reload keeps the screen and the scrollback", async () => {
  const run = await server.command(["sh", "-c", "seq -f 'line-%05g' 1 3000; exec cat"]);
  await open(run.id);
  await shows("line-03000");
  // Once reloaded, the terminal has the size of the pane.
  await seen.page.reload();
  await shows("line-03000");
  const before = await screen();
  await seen.page.reload();
  await shows("line-03000");
  await until("the same screen", async () => (await screen()).join("\n") === before.join("\n"));
  expect(await finds("line-00001")).toBe("1 of 1");
  expect(await finds("line-03000")).toBe("1 of 1");
  expect(await finds("no such line")).toBe("none");
  seen.expectQuiet();
});

test("after kill -9 and a restart it comes back by itself with the same contents, once", async () => {
  const run = await server.command(["sh", "-c", "seq -f 'mark-%04g' 1 500; exec cat"]);
  await open(run.id);
  await shows("mark-0500");
  await type("typed before\n");
  await shows("typed before");
  await server.kill();
  await state().getByText("Keys are not sent").waitFor();
  await type("xyz");
  await state().getByText("3 keys were not sent.").waitFor();
  await server.restart();
  await until("it is attached", async () => !(await state().textContent())?.includes("attaches"));
  await shows("typed before");
  expect(await finds("mark-0001")).toBe("1 of 1");
  expect(await finds("mark-0500")).toBe("1 of 1");
  expect(await finds("typed before")).toMatch(/^[12] of 2$/);
  await type("typed after\n");
  await until("the echo and the answer", async () => {
    return (await screen()).filter((line) => line === "typed after").length === 2;
  });
  expect(await finds("xyz")).toBe("none");
  seen.expectQuiet(SERVER_AWAY);
});

test("a program that ended shows its last screen and its exit code", async () => {
  const run = await server.command(["sh", "-c", "echo last words; read line; exit 3"]);
  await open(run.id);
  await shows("last words");
  await type("go\n");
  await state().getByText("The program ended with exit code 3.").waitFor();
  await shows("last words");
  await seen.page.reload();
  await state().getByText("The program ended with exit code 3.").waitFor();
  await shows("last words");
  seen.expectQuiet();
});

test("before the start there is a calm page, which attaches by itself", async () => {
  const project = await server.project("Slow start");
  await server.call("PUT", `/api/projects/${project.id}`, {
    setup_script: 'while [ ! -e "$HOME/go" ]; do sleep 0.1; done',
  });
  const agent = await server.agent(project.id, "command", {
    provider_config: { command: ["sh", "-c", "echo now running; exec cat"] },
  });
  const run = await server.run(agent.id, "Start slowly");
  await open(run.id);
  await seen.page.getByText("The CLI has not started yet").waitFor();
  await writeFile(`${server.folder}/home/go`, "");
  await shows("now running");
  seen.expectQuiet();
});

test("a flood does not freeze the page, and ^C still ends it", async () => {
  const run = await server.command(["bash", "--norc", "-i"]);
  await open(run.id);
  await shows("bash");
  await type("yes flood-of-many-words\n");
  await shows("flood-of-many-words");
  // The page has time for other things again and again while it lasts.
  await seen.page.evaluate(async () => {
    for (let turn = 0; turn < 200; turn++) await new Promise((go) => setTimeout(go, 0));
  });
  await shows("flood-of-many-words");
  await seen.page.keyboard.press("Control+c");
  await seen.page.keyboard.type("echo still-$((40+2))\n");
  await shows("still-42");
  seen.expectQuiet();
});

test("selected text is copied, and pasted in brackets", async () => {
  const run = await server.command(["sh", "-c", "printf '\\033[?2004hcopy me\\n'; exec cat -v"]);
  await open(run.id);
  await shows("copy me");
  const place = seen.page.getByTestId("terminal");
  await place.dblclick({ position: { x: 12, y: 10 } });
  await seen.page.getByRole("button", { name: "Copy", exact: true }).click();
  expect(await seen.page.evaluate(() => navigator.clipboard.readText())).toBe("copy");
  await place.click();
  await seen.page.keyboard.press("Control+v");
  await seen.page.keyboard.press("Enter");
  await shows("^[[200~copy^[[201~");
  seen.expectQuiet();
});

test("a phone has the keys that its keyboard lacks", async () => {
  const run = await server.command(["sh", "-c", "echo begin; stty -echo -isig; exec cat -v"]);
  await open(run.id, "terminal", { width: 390, height: 844, touch: true });
  await shows("begin");
  const key = (name: string) => seen.page.getByRole("button", { name, exact: true }).tap();
  await key("Esc, the escape key");
  await key("Up");
  await key("^C, interrupt");
  await key("Ctrl for the next key");
  await seen.page.keyboard.type("b");
  await seen.page.keyboard.type("b\n");
  await shows("^[^[[A^C^Bb");
  seen.expectQuiet();
});

test("logs follow the run, and all of them can be downloaded", async () => {
  const run = await server.command(
    ["sh", "-c", "seq -f '\x1b[32mrow-%07g\x1b[0m' 1 200000; exec cat"],
    "Write much!",
  );
  await open(run.id, "logs");
  const pane = seen.page.getByRole("region", { name: "Output" });
  await pane.getByText("row-0200000").waitFor();
  await seen.page.getByText("The last 1.0 MiB of").waitFor();
  await expect.poll(() => pane.getByText("row-0000001").count()).toBe(0);
  const second = await seen.context.newPage();
  await second.goto(server.page(`/runs/${run.id}/terminal`));
  await second.getByTestId("terminal").click();
  await second.getByText("leaves the terminal").waitFor();
  await second.keyboard.type("typed elsewhere\n");
  await pane.getByText("typed elsewhere").waitFor();
  await second.close();
  const download = seen.page.waitForEvent("download");
  await seen.page.getByRole("link", { name: "Download all" }).click();
  const file = await download;
  expect(file.suggestedFilename()).toMatch(/^run-[0-9a-f]{8}-write-much\.log$/);
  const text = await readFile(await file.path(), "utf8");
  expect(text).toContain("row-0000001");
  expect(text).toContain("typed elsewhere");
  seen.expectQuiet();
});

test("the task list grows as the agent writes it", async () => {
  const todo = (...states: string[]) => ({
    hook_event_name: "PreToolUse",
    session_id: "s-1",
    tool_name: "TodoWrite",
    tool_use_id: `use-${states.join("-")}`,
    tool_input: {
      todos: states.map((status, at) => ({ content: `Step ${at + 1}`, status, activeForm: "" })),
    },
  });
  const run = await server.command(["cat"]);
  await server.status(run.id, "running");
  await open(run.id, "tasks");
  await seen.page.getByRole("heading", { name: "No tasks" }).waitFor();
  await server.post(`/api/runs/${run.id}/hook`, todo("in_progress", "pending"));
  await seen.page.getByText("0 of 2").waitFor();
  await seen.page.getByText("In progress").waitFor();
  await server.post(`/api/runs/${run.id}/hook`, todo("completed", "in_progress", "pending"));
  await seen.page.getByText("1 of 3").waitFor();
  await expect
    .poll(() => seen.page.getByRole("progressbar").getAttribute("aria-valuetext"))
    .toBe("1 of 3");
  await expect
    .poll(() => seen.page.getByRole("list", { name: "Tasks" }).innerText())
    .toMatch(/Step 1\s+Done[^]*Step 2\s+In progress[^]*Step 3\s+To do/);
  seen.expectQuiet();
});
