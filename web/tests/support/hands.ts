// Two ways to use the page: with mouse and keyboard, or by keyboard alone. A path through the page
// is written once, and walked with both.
import type { Locator, Page } from "playwright-core";

/** Most steps of the focus from where it is to what is wanted. */
const STEPS_MAX = 150;

export interface Hands {
  readonly name: string;
  /** Does what the button, link or menu item does. */
  press(target: Locator): Promise<void>;
  /** Puts this text in a field. */
  write(target: Locator, text: string): Promise<void>;
  /** Chooses the option of a select whose label begins so. */
  choose(target: Locator, label: string): Promise<void>;
  /** Chooses in the list below a combobox. */
  pick(box: Locator, option: Locator): Promise<void>;
  /** Opens the editor of a comment on the first line of a file. */
  comment(lines: Locator): Promise<void>;
  /** Gives the focus to the terminal, types, and leaves it. */
  answer(terminal: Locator, keys: string): Promise<void>;
}

export class Mouse implements Hands {
  readonly name = "mouse";
  readonly #page: Page;
  constructor(page: Page) {
    this.#page = page;
  }
  press(target: Locator) {
    return target.click();
  }
  write(target: Locator, text: string) {
    return target.fill(text);
  }
  async choose(target: Locator, label: string) {
    const option = target.locator("option").filter({ hasText: new RegExp(`^${label}`) });
    await target.selectOption({ label: (await option.first().textContent()) ?? "" });
  }
  pick(_box: Locator, option: Locator) {
    return option.click();
  }
  comment(lines: Locator) {
    return lines
      .locator('tr[data-state="diff"] td[class*="-num"]:not([class*="old-num"])')
      .first()
      .click();
  }
  async answer(terminal: Locator, keys: string) {
    await terminal.click();
    await this.#page.keyboard.type(keys);
  }
}

const focused = (target: Locator) =>
  target.evaluate((element) => element === document.activeElement);

export class Keyboard implements Hands {
  readonly name = "keyboard alone";
  readonly #page: Page;
  constructor(page: Page) {
    this.#page = page;
  }

  /** Moves the focus to the element, as a person would: by `key` until it is there. */
  async #to(target: Locator, key = "Tab") {
    await target.waitFor();
    for (let step = 0; step < STEPS_MAX; step++) {
      if (await focused(target)) return;
      await this.#page.keyboard.press(key);
    }
    throw new Error(`${key} never led to ${String(target)}`);
  }

  async press(target: Locator) {
    await target.waitFor();
    const item = (await target.getAttribute("role")) === "menuitem";
    await this.#to(target, item ? "ArrowDown" : "Tab");
    await this.#page.keyboard.press("Enter");
  }
  async write(target: Locator, text: string) {
    await this.#to(target);
    await this.#page.keyboard.press("Control+a");
    await this.#page.keyboard.type(text);
  }
  async choose(target: Locator, label: string) {
    await this.#to(target);
    await this.#page.keyboard.type(label);
  }
  async pick(box: Locator, option: Locator) {
    await option.waitFor();
    await this.#to(box);
    await this.#page.keyboard.press("ArrowDown");
    await this.#page.keyboard.press("Enter");
  }
  async comment(lines: Locator) {
    await this.#to(lines);
    await this.#page.keyboard.press("ArrowDown");
    await this.#page.keyboard.press("m");
  }
  async answer(terminal: Locator, keys: string) {
    await terminal.waitFor();
    if (!(await terminal.evaluate((element) => element.contains(document.activeElement)))) {
      await this.#to(terminal);
    }
    if (await focused(terminal)) await this.#page.keyboard.press("Enter");
    await this.#page.keyboard.type(keys);
    await this.#page.keyboard.press("Control+Shift+Period");
  }
}
