// Code that is loaded on demand.
import { lazy, type ComponentType } from "react";

/** Time between two checks whether the server is back, in milliseconds. */
const ASK_MS = 1000;
/** Shortest time between two reloads of the page, in milliseconds. */
const ANEW_MS = 10_000;

/** Resolves when the server answers, with whether it was unreachable before. */
async function serverAnswers(): Promise<boolean> {
  for (let away = false; ; away = true) {
    try {
      if ((await fetch("/api/health", { cache: "no-store" })).ok) return away;
    } catch {
      // still unreachable
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
}

function loadedAnew(): boolean {
  const [navigation] = performance.getEntriesByType("navigation");
  return (
    navigation instanceof PerformanceNavigationTiming &&
    navigation.type === "reload" &&
    performance.now() < ANEW_MS
  );
}

/**
 * What `load` imports. When the import fails, the server is unreachable or was updated, and
 * browsers cache the failure for the life of the page (whatwg/html#6768). So the page is reloaded
 * as soon as the server answers; until then this waits.
 */
export async function part<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const away = await serverAnswers();
    if (!away && loadedAnew()) throw new Error("Part of this page could not be loaded.", { cause });
    location.reload();
    return await new Promise(() => undefined);
  }
}

/** A component that is loaded on demand: the default export of what `load` imports. */
export function lazyPart<Props>(load: () => Promise<{ default: ComponentType<Props> }>) {
  return lazy(() => part(load));
}
