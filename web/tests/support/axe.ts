// What axe-core says of a page, against WCAG A and AA.
import axe from "axe-core";
import type { Page } from "playwright-core";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What breaks the rules within the element (the whole page without one): a line a kind. */
export async function barriers(page: Page, within = "html"): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(
    async ([within, rules]) => {
      const { axe: here } = window as unknown as { axe: typeof axe };
      const { violations, passes } = await here.run(within, { runOnly: rules });
      if (passes.length === 0) return ["axe looked at nothing"];
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map((at) => at.html).join("\n")}`);
    },
    [within, RULES] as const,
  );
}
