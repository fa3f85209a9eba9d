// Measures a page through the DevTools protocol: tasks of its main thread, and heaps after collection.
import type { CDPSession, Page } from "playwright-core";

export interface Task {
  /** Milliseconds on the clock, and of them on a processor. */
  wall: number;
  cpu: number;
  /** What took most of it. */
  inside: string;
}

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  tdur?: number;
  args?: { name?: string; data?: Record<string, unknown> };
}

const MOST_INSIDE = 3;

/** The tasks of the page's main thread while `act` goes on, the longest first. */
export async function tasksDuring(page: Page, act: () => Promise<void>): Promise<Task[]> {
  const cdp = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  cdp.on("Tracing.dataCollected", ({ value }) =>
    events.push(...(value as unknown as TraceEvent[])),
  );
  await cdp.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: {
      includedCategories: [
        "toplevel",
        "devtools.timeline",
        "disabled-by-default-devtools.timeline",
      ],
    },
  });
  // Names the renderer among the processes of the trace.
  const mark = `measured-${performance.now()}`;
  // eslint-disable-next-line no-console -- it writes to the trace, not to the console
  await page.evaluate((mark) => console.timeStamp(mark), mark);
  await act();
  const complete = new Promise((go) => cdp.once("Tracing.tracingComplete", go));
  await cdp.send("Tracing.end");
  await complete;
  await cdp.detach();
  const named = events.find(
    (event) => event.name === "TimeStamp" && event.args?.data?.["message"] === mark,
  );
  if (!named) throw new Error("the trace does not hold the page's mark");
  const ours = events.filter(({ pid, tid }) => pid === named.pid && tid === named.tid);
  const tasks = ours.filter(({ name, dur }) => /RunTask$/.test(name) && dur !== undefined);
  if (tasks.length === 0) throw new Error("the trace holds no task of the page");
  return tasks
    .sort((a, b) => (b.dur ?? 0) - (a.dur ?? 0))
    .map((task, at) => ({
      wall: (task.dur ?? 0) / 1000,
      cpu: (task.tdur ?? 0) / 1000,
      inside: at < MOST_INSIDE ? inside(task, ours) : "",
    }));
}

function inside(task: TraceEvent, events: TraceEvent[]): string {
  const end = task.ts + (task.dur ?? 0);
  return events
    .filter((event) => event !== task && event.ts >= task.ts && event.ts + (event.dur ?? 0) <= end)
    .filter((event) => (event.dur ?? 0) > 2000)
    .sort((a, b) => (b.dur ?? 0) - (a.dur ?? 0))
    .slice(0, 6)
    .map((event) => `${event.name} ${((event.dur ?? 0) / 1000).toFixed(0)}`)
    .join(", ");
}

/** Bytes that the page's heap and those of its workers hold after a collection. */
export class Heaps {
  #cdp: CDPSession;
  #workers = new Map<string, string>();
  #last = 0;

  private constructor(cdp: CDPSession) {
    this.#cdp = cdp;
  }

  static async of(page: Page): Promise<Heaps> {
    const cdp = await page.context().newCDPSession(page);
    const heaps = new Heaps(cdp);
    cdp.on("Target.attachedToTarget", ({ sessionId, targetInfo }) => {
      if (targetInfo.type === "worker") heaps.#workers.set(sessionId, targetInfo.title);
    });
    await cdp.send("Target.setAutoAttach", {
      autoAttach: true,
      waitForDebuggerOnStart: false,
      flatten: false,
    });
    await cdp.send("HeapProfiler.enable");
    return heaps;
  }

  async used(): Promise<{ page: number; workers: number; count: number }> {
    // What is only weakly held goes with a later collection.
    for (let round = 0; round < 3; round++) await this.#cdp.send("HeapProfiler.collectGarbage");
    const { usedSize } = await this.#cdp.send("Runtime.getHeapUsage");
    let workers = 0;
    for (const session of this.#workers.keys()) {
      for (let round = 0; round < 3; round++) {
        await this.#ask(session, "HeapProfiler.collectGarbage");
      }
      workers += ((await this.#ask(session, "Runtime.getHeapUsage")) as { usedSize: number })
        .usedSize;
    }
    return { page: usedSize, workers, count: this.#workers.size };
  }

  /** A call to a worker of the page. */
  #ask(sessionId: string, method: string): Promise<unknown> {
    const id = ++this.#last;
    return new Promise((tell, fail) => {
      const listen = (said: { sessionId: string; message: string }) => {
        const answer = JSON.parse(said.message) as {
          id?: number;
          result?: unknown;
          error?: unknown;
        };
        if (said.sessionId !== sessionId || answer.id !== id) return;
        this.#cdp.off("Target.receivedMessageFromTarget", listen);
        if (answer.error) fail(new Error(`${method}: ${JSON.stringify(answer.error)}`));
        else tell(answer.result);
      };
      this.#cdp.on("Target.receivedMessageFromTarget", listen);
      const message = JSON.stringify({ id, method });
      this.#cdp.send("Target.sendMessageToTarget", { sessionId, message }).catch(fail);
    });
  }
}
