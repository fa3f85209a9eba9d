import { expect, test } from "vitest";
import { withCount } from "./badge";

test("the count is put before the title, changed and taken away", () => {
  expect(withCount("Fix it · abbado", 2)).toBe("(2) Fix it · abbado");
  expect(withCount("(2) Fix it · abbado", 11)).toBe("(11) Fix it · abbado");
  expect(withCount("(2) abbado", 0)).toBe("abbado");
});
