// Whether the command palette or the list of keys is open; both are opened from anywhere.
import { useSyncExternalStore } from "react";

type Open = "palette" | "keys" | null;
let open: Open = null;
let everOpened = false;
const listeners = new Set<() => void>();

function listen(listener: () => void) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

export function setOpen(next: Open) {
  open = next;
  everOpened ||= next !== null;
  for (const listener of listeners) listener();
}
export const openPalette = () => setOpen("palette");

export function useOpen(): Open {
  return useSyncExternalStore(listen, () => open);
}

/** Whether either was opened since the page was loaded; until then their code is not loaded. */
export function useEverOpened(): boolean {
  return useSyncExternalStore(listen, () => everOpened);
}
