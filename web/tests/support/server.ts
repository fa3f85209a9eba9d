// A real server for tests of the page: the built binary, with a home, data and repository of its own.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Agent, Project, Run, RunEvent } from "../../src/api/client";

const WEB = fileURLToPath(new URL("../..", import.meta.url));
/** The binary under test, `ABBADO_BIN` or the debug build. */
const BIN = resolve(WEB, process.env["ABBADO_BIN"] ?? "../target/debug/abbado");
/** What git reads as the system's configuration. */
const GIT_CONFIG = join(WEB, "../tests/fixtures/gitconfig");
/** A vite server that serves the page instead; it must pass /api on to `ABBADO_DEV_SERVER`. */
const UI_BASE = process.env["ABBADO_UI_BASE"];
/** How long anything may take before a test gives up, in milliseconds; the machine may be busy. */
export const PATIENCE_MS = 90_000;

/** Checks of `until` are this many milliseconds apart. */
const CHECK_MS = 50;

/** Waits until `check` gives something true, and gives it back. Fails with `what` after `ms`. */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  ms = PATIENCE_MS,
): Promise<NonNullable<T>> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((go) => setTimeout(go, CHECK_MS));
  }
}

/** Runs git in a folder; fails with what git said. */
export function git(folder: string, ...args: string[]): string {
  const done = spawnSync("git", args, {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], HOME: folder, GIT_CONFIG_SYSTEM: GIT_CONFIG, LC_ALL: "C" },
  });
  if (done.status !== 0) throw new Error(`git ${args.join(" ")}: ${done.stderr}`);
  return done.stdout.trim();
}

/** A repository with one commit on `main` and a bare remote named `origin`. */
export function makeRepo(folder: string, remote: string, files: Record<string, string>) {
  mkdirSync(folder, { recursive: true });
  git(folder, "init", "-q", "-b", "main");
  git(folder, "config", "user.name", "test");
  git(folder, "config", "user.email", "test@localhost");
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  git(folder, "add", "-A");
  git(folder, "commit", "-q", "-m", "first");
  mkdirSync(remote, { recursive: true });
  git(remote, "init", "-q", "--bare", "-b", "main");
  git(folder, "remote", "add", "origin", remote);
  git(folder, "push", "-q", "origin", "main");
}

const FILES = {
  "README.md": "# site\n",
  "src/main.js": 'console.log("hello");\n',
  "src/other.js": "export const other = 1;\n",
};

/** Answers of the API that are not 2xx. */
export class ApiFailure extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(`${status}: ${message}`);
    this.status = status;
  }
}

/** Behind vite it is the port that vite passes calls on to, else a free one. */
function portToTake(): string {
  if (!UI_BASE) return "0";
  const target = process.env["ABBADO_DEV_SERVER"];
  if (!target) throw new Error("ABBADO_UI_BASE needs ABBADO_DEV_SERVER, as vite has it");
  return new URL(target).port;
}

export class TestServer {
  /** The scratch folder; below it home/, data/, home/site (the repository), remote.git. */
  readonly folder: string;
  readonly repo: string;
  /** Of the API, such as `http://127.0.0.1:40001`. Stays over a restart. */
  base = "";
  #child: ChildProcess | undefined;
  #env: Record<string, string>;
  #said: string[] = [];

  private constructor(env: Record<string, string>) {
    this.folder = mkdtempSync(join(tmpdir(), "abbado-e2e-"));
    this.repo = join(this.folder, "home", "site");
    this.#env = env;
  }

  /** Starts a fresh server. `env` goes on top of a clean environment. */
  static async start(env: Record<string, string> = {}): Promise<TestServer> {
    const server = new TestServer(env);
    mkdirSync(join(server.folder, "data"), { recursive: true });
    makeRepo(server.repo, join(server.folder, "remote.git"), FILES);
    try {
      await server.#spawn(`127.0.0.1:${portToTake()}`);
    } catch (error) {
      rmSync(server.folder, { recursive: true, force: true });
      throw error;
    }
    return server;
  }

  /** The address of the page at this path. */
  page(path: string): string {
    return (UI_BASE ?? this.base) + path;
  }

  /** What the server wrote to its standard error so far. */
  get log(): string {
    return this.#said.join("\n");
  }

  async #spawn(bind: string) {
    const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith("ABBADO_"));
    const child = spawn(BIN, ["serve", "--bind", bind], {
      cwd: this.folder,
      env: {
        ...Object.fromEntries(inherited),
        HOME: join(this.folder, "home"),
        ABBADO_DATA_DIR: join(this.folder, "data"),
        GIT_CONFIG_SYSTEM: GIT_CONFIG,
        ...this.#env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    createInterface({ input: child.stderr }).on("line", (line) => this.#said.push(line));
    const lines = createInterface({ input: child.stdout });
    this.base = await new Promise<string>((tell, fail) => {
      const timer = setTimeout(
        () => fail(new Error(`the server did not start:\n${this.log}`)),
        PATIENCE_MS,
      );
      lines.on("line", (line) => {
        const address = /^listening on (http:\/\/\S+)/.exec(line)?.[1];
        if (address === undefined) return;
        clearTimeout(timer);
        tell(address);
      });
      child.once("error", fail);
      child.once("exit", (code) => fail(new Error(`the server ended (${code}):\n${this.log}`)));
    });
  }

  async #end(signal: NodeJS.Signals) {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((go) => child.once("exit", () => go()));
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    await ended;
    clearTimeout(timer);
  }

  /** Ends the server at once, as a crash would. Its runs live on. */
  async kill() {
    await this.#end("SIGKILL");
  }

  /** Ends the server the polite way. Its runs live on. */
  async stop() {
    await this.#end("SIGTERM");
  }

  /** Starts it again on the same port and data. */
  async restart() {
    await this.#end("SIGKILL");
    await this.#spawn(new URL(this.base).host);
  }

  /** Ends all runs and the server, and removes every trace. */
  async remove() {
    try {
      if (!this.#child) await this.restart();
      for (const run of await this.get<Run[]>("/api/runs")) {
        if (run.process.alive || run.status === "queued") {
          // It may end by itself in this moment: 409.
          await this.post(`/api/runs/${run.id}/cancel`).catch((error: unknown) => {
            if (!(error instanceof ApiFailure && error.status === 409)) throw error;
          });
        }
      }
    } finally {
      await this.stop();
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
  }

  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const text = await this.text(path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** The body of a 2xx, with the server's token where it has one. */
  async text(path: string, options: RequestInit = {}): Promise<string> {
    const headers = new Headers(options.headers);
    const token = this.#env["ABBADO_TOKEN"];
    if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
    const answer = await fetch(this.base + path, { ...options, headers });
    const text = await answer.text();
    if (!answer.ok) throw new ApiFailure(answer.status, text);
    return text;
  }

  get<T>(path: string): Promise<T> {
    return this.call<T>("GET", path);
  }

  post<T>(path: string, body?: unknown): Promise<T> {
    return this.call<T>("POST", path, body);
  }

  /** A project with the scratch repository in it. */
  async project(name = "Site"): Promise<Project> {
    const project = await this.post<Project>("/api/projects", { name });
    await this.post(`/api/projects/${project.id}/repos`, { name: "site", repo_path: this.repo });
    return this.get<Project>(`/api/projects/${project.id}`);
  }

  /** An agent; `more` are further fields of its document. */
  agent(projectId: string, cliName: string, more: Record<string, unknown> = {}): Promise<Agent> {
    return this.post<Agent>("/api/agents", {
      project_id: projectId,
      name: cliName,
      cli_name: cliName,
      ...more,
    });
  }

  run(agentId: string, task: string, more: Record<string, unknown> = {}): Promise<Run> {
    return this.post<Run>("/api/runs", { agent_id: agentId, task, ...more });
  }

  /** A run of any program: project, agent of `command` and run in one go. */
  async command(argv: string[], task = "Try the terminal"): Promise<Run> {
    const projects = await this.get<Project[]>("/api/projects");
    const project = projects[0] ?? (await this.project());
    const agent = await this.agent(project.id, "command", { provider_config: { command: argv } });
    return this.run(agent.id, task);
  }

  /** Waits until the run is in one of these states, and gives it. */
  status(runId: string, ...wanted: Run["status"][]): Promise<Run> {
    return until(`run in ${wanted.join("/")}`, async () => {
      const run = await this.get<Run>(`/api/runs/${runId}`);
      return wanted.includes(run.status) ? run : undefined;
    });
  }

  events(runId: string): Promise<RunEvent[]> {
    return this.get<RunEvent[]>(`/api/runs/${runId}/events`);
  }
}
