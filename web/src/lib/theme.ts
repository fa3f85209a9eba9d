// Light, dark, or the system's theme.
import { useSyncExternalStore } from "react";
import { store, stored } from "./stored";

export type Theme = "system" | "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

const chosenTheme = () => (stored("theme") as Theme | null) ?? "system";

function isDark(): boolean {
  const chosen = chosenTheme();
  return chosen === "dark" || (chosen === "system" && system.matches);
}

/** Sets the page to the chosen theme. */
export function applyTheme() {
  document.documentElement.dataset["theme"] = isDark() ? "dark" : "light";
  for (const listener of listeners) listener();
}

export function setTheme(theme: Theme) {
  store("theme", theme === "system" ? null : theme);
  applyTheme();
}

function listen(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether the page is dark now. Terminals, diffs and charts choose their colours by it. */
export function useDark(): boolean {
  return useSyncExternalStore(listen, isDark);
}

/** The user's choice, which may be to follow the system. */
export function useTheme(): Theme {
  return useSyncExternalStore(listen, chosenTheme);
}

system.addEventListener("change", applyTheme);
addEventListener("storage", applyTheme);
