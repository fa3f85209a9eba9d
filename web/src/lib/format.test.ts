import { expect, test } from "vitest";
import { age, bytes, costOf, count, money, span, sumOf, unpricedRuns } from "./format";

test("money has four significant digits", () => {
  expect([0, 0.031861, 1.23456, 12.3456, 1234.5].map(money)).toEqual([
    "$0",
    "$0.03186",
    "$1.235",
    "$12.35",
    "$1,235",
  ]);
});

test("counts stay narrow", () => {
  expect([0, 999, 1000, 1250, 78_613, 5_600_000].map(count)).toEqual([
    "0",
    "999",
    "1k",
    "1.2k",
    "78k",
    "5.6M",
  ]);
});

test("bytes", () => {
  expect([0, 1023, 1024, 1536, 3 * 1024 ** 2].map(bytes)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "3.0 MiB",
  ]);
});

test("spans and ages", () => {
  expect([-5, 0, 40, 400].map(span)).toEqual(["0 ms", "0 ms", "40 ms", "0.4 s"]);
  expect([8200, 12_900, 185_000, 7_500_000, 4 * 86_400_000].map(span)).toEqual([
    "8.2 s",
    "12 s",
    "3 min",
    "2 h 5 min",
    "4 d",
  ]);
  expect([500, 3400].map(age)).toEqual(["now", "3 s"]);
});

test("a cost that is not known is no zero", () => {
  const cost = (usd: number | null, known_usd: number) =>
    costOf({ usd, known_usd, source: "estimated", prices_as_of: null });
  expect(cost(0.25, 0.25)).toBe("$0.25");
  expect(cost(0, 0)).toBe("$0");
  expect(cost(null, 0)).toBe("unknown");
  expect(cost(null, 0.25)).toBe("$0.25 + unknown");
});

test("a sum says what is not in it", () => {
  expect([sumOf(2, 0), sumOf(0, 0), sumOf(2, 1), sumOf(0, 3)]).toEqual([
    "$2",
    "$0",
    "at least $2",
    "unknown",
  ]);
  expect([1, 3].map(unpricedRuns)).toEqual(["1 run with unknown cost", "3 runs with unknown cost"]);
});
