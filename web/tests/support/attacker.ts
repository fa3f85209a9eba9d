// Pages that try to get in: a server for them, and what they try. `attack` runs inside the page.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

const PAGE = "<!doctype html><meta charset=utf-8><title>attack</title><body>attack";

/** Could be ours, for who looks at the outside only. */
const LOOK_ALIKE = '<!doctype html><div id="root"></div>';

/** A server of somebody else's pages. */
export class Attacker {
  readonly port: number;
  #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** On a free port, or on this one. */
  static async start(port = 0): Promise<Attacker> {
    const server = createServer((request, answer) => {
      answer.setHeader("Content-Type", "text/html");
      if (request.url === "/sandboxed") {
        // Its origin is `null`.
        answer.setHeader(
          "Content-Security-Policy",
          "sandbox allow-scripts allow-forms allow-popups",
        );
      }
      answer.end(request.url === "/look-alike" ? LOOK_ALIKE : PAGE);
    });
    await new Promise<void>((go) => server.listen(port, "127.0.0.1", go));
    return new Attacker(server);
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((go) => this.#server.close(go));
  }
}

/** One thing tried, and whether the page got anything by it. */
export interface Try {
  name: string;
  got: boolean;
  said: string;
}

export interface Target {
  /** Such as `http://127.0.0.1:40001`. */
  base: string;
  run: string;
  /** A guess at the token. */
  guess: string;
}

/** Tries everything that a page can. Complete in itself: it is sent to the page as text. */
export async function attack({ base, run, guess }: Target): Promise<Try[]> {
  const tries: Try[] = [];
  const body = JSON.stringify({ name: "stolen" });
  const json = { "Content-Type": "application/json" };
  const hook = `/api/runs/${run}/hook`;
  const hooked = JSON.stringify({ hook_event_name: "Stolen" });
  // Success and failure are both told; the limit is for a browser that tells neither.
  const within = <T>(wait: Promise<T>, otherwise: T, ms = 30_000) =>
    Promise.race([wait, new Promise<T>((go) => setTimeout(() => go(otherwise), ms))]);
  const note = (name: string, got: boolean, said: string) => tries.push({ name, got, said });

  const call = async (name: string, path: string, options: RequestInit) => {
    try {
      const signal = AbortSignal.timeout(30_000);
      const answer = await fetch(base + path, { ...options, signal });
      const text = await answer.text();
      note(name, answer.ok && text !== "", `${answer.type} ${answer.status} ${text.slice(0, 80)}`);
    } catch (error) {
      note(name, false, String(error));
    }
  };
  const modes: RequestMode[] = ["cors", "no-cors"];
  for (const mode of modes) {
    for (const credentials of ["omit", "include"] as const) {
      const how = { mode, credentials };
      await call(`read ${mode} ${credentials}`, "/api/runs", how);
      await call(`logs ${mode} ${credentials}`, `/api/runs/${run}/logs`, how);
      await call(`page ${mode} ${credentials}`, "/", how);
      const text = { ...how, method: "POST", body };
      await call(`text ${mode} ${credentials}`, "/api/projects", text);
      await call(`cancel ${mode} ${credentials}`, `/api/runs/${run}/cancel`, {
        ...how,
        method: "POST",
      });
      await call(`hook ${mode} ${credentials}`, hook, { ...how, method: "POST", body: hooked });
      await call(`token ${mode} ${credentials}`, `/?token=${guess}`, how);
    }
  }
  for (const credentials of ["omit", "include"] as const) {
    const how = { credentials, headers: json, body };
    await call(`json ${credentials}`, "/api/projects", { ...how, method: "POST" });
    await call(`hook json ${credentials}`, hook, { ...how, method: "POST", body: hooked });
    await call(`put ${credentials}`, "/api/settings/notifications", { ...how, method: "PUT" });
  }
  await within(
    new Promise<void>((go) => {
      const request = new XMLHttpRequest();
      request.open("GET", `${base}/api/runs`);
      request.withCredentials = true;
      request.onloadend = () => {
        note("xhr", request.status === 200, `${request.status}`);
        go();
      };
      request.send();
    }),
    undefined,
  );
  try {
    navigator.sendBeacon(`${base}/api/projects`, new Blob([body], { type: "text/plain" }));
    navigator.sendBeacon(`${base}/api/projects`, new Blob([body], { type: "application/json" }));
  } catch (error) {
    note("beacon", false, String(error));
  }

  const stream = (name: string, path: string) =>
    within(
      new Promise<string>((go) => {
        const source = new EventSource(base + path, { withCredentials: true });
        source.onopen = () => (source.close(), go("open"));
        source.onmessage = () => (source.close(), go("message"));
        source.onerror = () => (source.close(), go("error"));
      }),
      "silence",
    ).then((said) => note(name, said === "open" || said === "message", said));
  await stream("events", "/api/events/stream");
  await stream("events of the run", `/api/runs/${run}/events/stream`);

  const socket = (name: string, path: string) =>
    within(
      new Promise<string>((go) => {
        const one = new WebSocket(base.replace("http", "ws") + path);
        one.onopen = () => (one.close(), go("open"));
        one.onerror = () => go("error");
      }),
      "silence",
    ).then((said) => note(name, said === "open", said));
  await socket("terminal", `/api/terminal?run_id=${run}`);
  await socket("new terminal", "/api/terminal?cli=shell");

  const embed = (tag: "img" | "script" | "link" | "object" | "embed", path: string) =>
    within(
      new Promise<string>((go) => {
        const element = document.createElement(tag);
        element.onload = () => go("load");
        element.onerror = () => go("error");
        if (element instanceof HTMLLinkElement) {
          element.rel = "stylesheet";
          element.href = base + path;
        } else if (element instanceof HTMLObjectElement) {
          element.data = base + path;
        } else {
          (element as HTMLImageElement).src = base + path;
        }
        document.body.append(element);
      }),
      "silence",
    ).then((said) => note(`${tag} ${path}`, said === "load", said));
  await embed("img", "/favicon.svg");
  await embed("script", "/api/runs");
  await embed("link", "/");

  // Their outcome is looked at from outside: what their frames show, and what the log holds.
  const loaded: Promise<unknown>[] = [];
  const frame = (name: string) => {
    const element = document.createElement("iframe");
    element.name = name;
    document.body.append(element);
    loaded.push(within(new Promise((go) => (element.onload = go)), undefined));
    return element;
  };
  frame("shown").src = `${base}/`;
  frame("shown-api").src = `${base}/api/runs`;
  frame("shown-token").src = `${base}/?token=${guess}`;
  for (const type of [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
  ] as const) {
    for (const path of ["/api/projects", hook, `/api/runs/${run}/cancel`]) {
      const target = `form ${type} ${path}`;
      frame(target);
      const form = document.createElement("form");
      form.method = "POST";
      form.action = base + path;
      form.enctype = type;
      form.target = target;
      const field = document.createElement("input");
      // As text/plain this is `{"name":"stolen","x":"="}`.
      field.name = '{"name":"stolen","hook_event_name":"Stolen","x":"';
      field.value = '"}';
      form.append(field);
      document.body.append(form);
      form.submit();
    }
  }
  await Promise.all(loaded);
  for (const credentials of ["omit", "include"] as const) {
    await call(`delete ${credentials}`, `/api/runs/${run}`, { credentials, method: "DELETE" });
  }
  for (const element of document.querySelectorAll("iframe")) {
    let text = "";
    try {
      text = element.contentDocument?.body.innerText ?? "";
    } catch {
      // Another origin.
    }
    note(
      `look into ${element.name}`,
      text !== "" && !/refuse|may not|answer under/.test(text),
      text,
    );
  }
  return tries;
}
