import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RETRY_MS, TerminalLink } from "./link";
import type { Found, Socket } from "./world";

class FakeSocket implements Socket {
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  sent: string[] = [];
  closed = false;
  send(what: string | Uint8Array<ArrayBuffer>) {
    this.sent.push(typeof what === "string" ? what : new TextDecoder().decode(what));
  }
  close() {
    this.closed = true;
  }
  says(what: object | string) {
    const data =
      typeof what === "string" ? new TextEncoder().encode(what).buffer : JSON.stringify(what);
    this.onmessage?.({ data } as MessageEvent<string | ArrayBuffer>);
  }
}

const READY = { type: "ready", cols: 80, rows: 24, alive: true };
const keys = (text: string) => new TextEncoder().encode(text);
const tick = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

function make() {
  const log: string[] = [];
  const sockets: FakeSocket[] = [];
  const world = { found: "started" as Found };
  const link = new TerminalLink(
    "r",
    {
      state: (state) => log.push(state.name),
      size: (cols, rows) => log.push(`${cols}x${rows}`),
      snapshot: (bytes) => log.push(`snapshot ${new TextDecoder().decode(bytes)}`),
      output: (bytes) => log.push(`output ${new TextDecoder().decode(bytes)}`),
      resized: (cols, rows) => log.push(`resized ${cols}x${rows}`),
    },
    {
      find: () => Promise.resolve(world.found),
      open: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
      whyNot: () => Promise.resolve("too many viewers"),
    },
  );
  const last = () => sockets.at(-1) as FakeSocket;
  return { link, log, sockets, world, last };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("the first bytes after ready and after resync are a snapshot", async () => {
  const { link, log, last } = make();
  link.start();
  await tick();
  for (const said of [READY, "a", "b", { type: "resync" }, "c", "d"]) last().says(said);
  last().says({ type: "exit", code: 3 });
  last().onclose?.();
  await tick(60_000);
  expect(log).toEqual([
    "attaching",
    "80x24",
    "live",
    "snapshot a",
    "output b",
    "snapshot c",
    "output d",
    "ended",
  ]);
  expect(link.state).toEqual({ name: "ended", code: 3 });
});

test("a broken connection is made again with growing waits, and an old one is not heard", async () => {
  const { link, log, sockets, world, last } = make();
  link.start();
  await tick();
  const first = last();
  first.says(READY);
  first.says("a");
  world.found = "unreachable";
  first.onclose?.();
  first.says("late");
  expect(link.input(keys("x"))).toBe(false);
  expect(log.at(-1)).toBe("away");
  await tick(RETRY_MS[0]); // away again
  world.found = "started";
  await tick(2 * RETRY_MS[0] - 1);
  expect(sockets.length).toBe(1);
  await tick(1);
  expect(sockets.length).toBe(2);
  last().says(READY);
  last().says("again");
  expect(log).not.toContain("output late");
  expect(log.slice(-3)).toEqual(["80x24", "live", "snapshot again"]);
  expect(link.input(keys("y"))).toBe(true);
  expect(last().sent).toEqual(["y"]);
});

test("a refused attach tells the server's own words", async () => {
  const { link, last } = make();
  link.start();
  await tick();
  last().onclose?.();
  await tick();
  expect(link.state).toEqual({ name: "away", why: "too many viewers" });
  link.stop();
});

test("a run that was never started is waited for, without tries", async () => {
  const { link, log, sockets, world } = make();
  world.found = "never";
  link.start();
  await tick(60_000);
  expect(log).toEqual(["attaching", "waiting"]);
  expect(sockets.length).toBe(0);
  world.found = "started";
  link.started();
  await tick();
  expect(sockets.length).toBe(1);
});

test("keys typed while it rests are sent after it attached again", async () => {
  const { link, sockets, last } = make();
  link.start();
  await tick();
  last().says(READY);
  link.rest();
  expect(sockets[0]?.closed).toBe(true);
  expect(link.input(keys("\x03"))).toBe(true);
  link.resume();
  await tick();
  expect(last().sent).toEqual([]);
  last().says(READY);
  expect(last().sent).toEqual(["\x03"]);
});

test("long pastes go out in pieces", async () => {
  const { link, last } = make();
  link.start();
  await tick();
  last().says(READY);
  link.input(keys("p".repeat(150_000)));
  expect(last().sent.map((part) => part.length)).toEqual([65_536, 65_536, 18_928]);
});

test("a start that is heard of before the end of the process before is not missed", async () => {
  const { link, log, sockets, last } = make();
  link.start();
  await tick();
  last().says(READY);
  link.started();
  expect(sockets.length).toBe(1);
  last().says({ type: "exit", code: 0 });
  await tick();
  expect(sockets.length).toBe(2);
  last().says({ ...READY, alive: false });
  last().says({ type: "exit", code: 0 });
  await tick(60_000);
  expect(sockets.length).toBe(2);
  expect(log.at(-1)).toBe("ended");
  link.started(); // continued later
  await tick();
  expect(sockets.length).toBe(3);
});

test("a new size is reported at its place; before a snapshot it is the snapshot's", async () => {
  const { link, log, last } = make();
  link.start();
  await tick();
  const resize = (cols: number) => ({ type: "resize", cols, rows: 9 });
  for (const said of [READY, "a", resize(40), "b", { type: "resync" }, resize(50), "c"]) {
    last().says(said);
  }
  expect(log.slice(1)).toEqual([
    ...["80x24", "live", "snapshot a", "resized 40x9", "output b", "50x9", "snapshot c"],
  ]);
  link.colours({ foreground: "#000000", background: "#ffffff", cursor: "#ff0000" });
  expect(JSON.parse(last().sent.at(-1) ?? "")).toMatchObject({
    type: "colors",
    background: "#ffffff",
  });
});
