// Whether the command palette or the list of keys is open; both are opened from anywhere.
import { useSyncExternalStore } from "react";

type Open = "palette" | "keys" | null;
let open: Open = null;
const listeners = new Set<() => void>();

export function setOpen(next: Open) {
  open = next;
  for (const listener of listeners) listener();
}
export const openPalette = () => setOpen("palette");

export function useOpen(): Open {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => open,
  );
}
