// Small choices of the user, stored in this browser.
import { useSyncExternalStore } from "react";

const PREFIX = "abbado.";
const listeners = new Set<() => void>();

function listen(listener: () => void) {
  listeners.add(listener);
  addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("storage", listener);
  };
}

/** The value stored under the name, if any. */
export function stored(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null; // storage is disabled: choices last as long as the page
  }
}

export function store(name: string, value: string | null) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // as above
  }
  for (const listener of listeners) listener();
}

/** A stored choice that re-renders when it changes, here or in another tab. */
export function useStored<T extends string>(name: string, fallback: T): [T, (value: T) => void] {
  const value = useSyncExternalStore(listen, () => stored(name)) as T | null;
  return [value ?? fallback, (next) => store(name, next)];
}
