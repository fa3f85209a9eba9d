// The terminal's colours in both themes. xterm needs values, so roles are read from the style
// sheet.
import type { ISearchOptions } from "@xterm/addon-search";
import type { ITheme } from "@xterm/xterm";

/** The ANSI colours without a role on the page. */
const ANSI = {
  light: {
    magenta: "#8a3ea8",
    cyan: "#0b6e79",
    brightRed: "#d0342b",
    brightGreen: "#20833f",
    brightYellow: "#9a6200",
    brightBlue: "#2f74d0",
    brightMagenta: "#a04cc2",
    brightCyan: "#0a7c88",
  },
  dark: {
    magenta: "#d59cf0",
    cyan: "#6cc9d3",
    brightRed: "#ffada7",
    brightGreen: "#93e2a8",
    brightYellow: "#f5cc7a",
    brightBlue: "#abccfb",
    brightMagenta: "#e6bff8",
    brightCyan: "#98dde4",
  },
};

const role = (name: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export function themeOf(dark: boolean): ITheme {
  const text = role("text");
  return {
    background: role("surface"),
    foreground: text,
    cursor: role("accent"),
    cursorAccent: role("surface"),
    selectionBackground: `${role("accent")}55`,
    black: dark ? role("sunken") : text,
    red: role("bad"),
    green: role("good"),
    yellow: role("warn"),
    blue: role("busy"),
    white: dark ? text : role("line-strong"),
    brightBlack: role("muted"),
    brightWhite: dark ? "#ffffff" : role("sunken"),
    ...ANSI[dark ? "dark" : "light"],
  };
}

export function searchColours(): NonNullable<ISearchOptions["decorations"]> {
  return {
    matchBackground: role("warn-soft"),
    matchBorder: role("warn"),
    matchOverviewRuler: role("warn"),
    activeMatchBackground: role("accent-soft"),
    activeMatchBorder: role("accent"),
    activeMatchColorOverviewRuler: role("accent"),
  };
}
