// One clock for all relative times on the page.
import { useSyncExternalStore } from "react";

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function listen(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(() => {
    if (document.hidden) return;
    now = Date.now();
    for (const notify of listeners) notify();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/**
 * Milliseconds of the epoch in whole steps of `step`, while the page is visible, so that what shows
 * no seconds is not rendered every second.
 */
export function useNow(step = 1000): number {
  return useSyncExternalStore(listen, () => (step > 1000 ? Math.floor(now / step) * step : now));
}
