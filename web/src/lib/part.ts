// Parts of the page's code that are loaded when they are asked for.
import { lazy, type ComponentType } from "react";

/** How often a server that is away is asked whether it is back, in milliseconds. */
const ASK_MS = 1000;
/** A page that was loaded anew so many milliseconds ago is not at once loaded anew for the same. */
const ANEW_MS = 10_000;

/** Resolves when the server answers, with whether it was away before. */
async function serverAnswers(): Promise<boolean> {
  for (let away = false; ; away = true) {
    try {
      if ((await fetch("/api/health", { cache: "no-store" })).ok) return away;
    } catch {
      // away still
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
 * What `load` imports. Where that fails, the server is away or has other parts since it was
 * renewed, and browsers keep the failure for as long as the page stands (whatwg/html#6768). So the
 * page is loaded anew as soon as the server answers; until then this waits.
 */
export async function part<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const away = await serverAnswers();
    if (!away && loadedAnew()) throw new Error("A part of this page cannot be loaded.", { cause });
    location.reload();
    return await new Promise(() => undefined);
  }
}

/** A component of a part of its own, which is the default export of what `load` imports. */
export function lazyPart<Props>(load: () => Promise<{ default: ComponentType<Props> }>) {
  return lazy(() => part(load));
}
