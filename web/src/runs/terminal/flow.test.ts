import { expect, test } from "vitest";
import { Flow, UNPARSED_BYTES_MAX } from "./flow";

/** A terminal that parses on demand. */
function make() {
  const log: string[] = [];
  const waiting: (() => void)[] = [];
  const flow = new Flow(
    {
      write: (bytes, done) => {
        waiting.push(() => {
          if (bytes.length > 0 && typeof bytes !== "string") {
            log.push(bytes.length > 100 ? "much" : new TextDecoder().decode(bytes));
          }
          done();
        });
      },
      resize: (cols, rows) => log.push(`resize ${cols}x${rows}`),
      begin: (size) => log.push(size ? `begin ${size.cols}x${size.rows}` : "begin"),
    },
    {
      overrun: () => log.push("overrun"),
      drained: () => log.push("drained"),
      settled: () => log.push("settled"),
    },
  );
  const parse = () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) next();
  };
  return { flow, log, parse };
}
const text = (what: string) => new TextEncoder().encode(what);

test("a snapshot begins anew, in order, with its size", () => {
  const { flow, log, parse } = make();
  flow.size(80, 24);
  flow.snapshot(text("one"));
  flow.output(text("two"));
  flow.output(text("three"));
  flow.snapshot(text("four"));
  flow.output(text("five"));
  parse();
  // The first was replaced before it was begun: neither it nor what followed is written.
  expect(log).toEqual(["begin 80x24", "four", "settled", "five"]);
});

test("what came before a later snapshot is parsed before the reset", () => {
  const { flow, log, parse } = make();
  flow.snapshot(text("one"));
  parse();
  flow.output(text("two"));
  flow.snapshot(text("three"));
  parse();
  expect(log).toEqual(["begin", "one", "settled", "two", "begin", "three", "settled"]);
});

test("too much unparsed output is reported once, and again when it is parsed", () => {
  const { flow, log, parse } = make();
  flow.snapshot(new Uint8Array(4 * UNPARSED_BYTES_MAX));
  parse();
  expect(log).toEqual(["begin", "much", "settled"]);
  log.length = 0;
  const half = new Uint8Array(UNPARSED_BYTES_MAX / 2);
  for (let n = 0; n < 4; n += 1) flow.output(half);
  expect(log).toEqual(["overrun"]);
  parse();
  expect(log).toEqual(["overrun", "much", "much", "much", "much", "drained"]);
  flow.output(half);
  parse();
  expect(log.at(-1)).toBe("much");
});

test("a change of size comes in its place, also behind a snapshot", () => {
  const { flow, log, parse } = make();
  flow.snapshot(text("one"));
  flow.output(text("two"));
  flow.resize(40, 10);
  flow.output(text("three"));
  parse();
  flow.resize(50, 12);
  flow.output(text("four"));
  parse();
  expect(log).toEqual([
    ...["begin", "one", "settled", "two", "resize 40x10", "three", "resize 50x12", "four"],
  ]);
});

test("a character that is cut is written whole", () => {
  const { flow, log, parse } = make();
  const all = text("a\u2014b\u{1f44d}c");
  for (let at = 1; at < all.length; at += 1) {
    log.length = 0;
    flow.output(all.subarray(0, at));
    flow.output(all.subarray(at));
    parse();
    expect(log.join("")).toBe("a\u2014b\u{1f44d}c");
  }
});
