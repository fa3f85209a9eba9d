// A live run whose CLI does nothing: the test sends its hooks, and so decides what it asks.
import { randomUUID } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Approval, Project, Run } from "../../src/api/client";
import { PATIENCE_MS, until, type TestServer } from "./server";

/** Seconds that a hook's request waits; then it is sent again. */
const WAIT_S = 5;

/** What a hook gets while nobody has decided. */
const PENDING = 202;

export interface Question {
  /** The call of the tool; each question needs an id of its own. */
  tool_use_id?: string;
  tool_name: string;
  tool_input: unknown;
  permission_suggestions?: unknown[];
}

export class Asker {
  readonly run: Run;
  readonly #server: TestServer;
  readonly #token: string;

  private constructor(server: TestServer, run: Run, token: string) {
    this.#server = server;
    this.run = run;
    this.#token = token;
  }

  /** Starts a run with remote approvals, in this project or the first one. */
  static async start(server: TestServer, task: string, within?: Project) {
    const projects = await server.get<Project[]>("/api/projects");
    const project = within ?? projects[0] ?? (await server.project());
    const bin = join(server.folder, "home", "idle-cli");
    writeFileSync(bin, "#!/bin/sh\nexec cat\n");
    chmodSync(bin, 0o755);
    const agent = await server.agent(project.id, "claude-code", {
      name: `Builder ${randomUUID().slice(0, 4)}`,
      provider_config: { bin, approvals: "remote" },
    });
    const run = await server.run(agent.id, task);
    const file = join(server.folder, "data", "runs", run.id, "hook.token");
    const token = await until("the run's token", () => {
      try {
        return readFileSync(file, "utf8").trim();
      } catch {
        return undefined;
      }
    });
    await until("its process", async () => {
      return (await server.get<Run>(`/api/runs/${run.id}`)).process.alive;
    });
    const asker = new Asker(server, run, token);
    await asker.#hook("UserPromptSubmit", { prompt: task });
    return asker;
  }

  async #hook(name: string, fields: object, delivery: string = randomUUID(), wait?: number) {
    const answer = await fetch(`${this.#server.base}/api/runs/${this.run.id}/hook`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-Abbado-Hook-Token": this.#token,
        "X-Abbado-Delivery": delivery,
        ...(wait === undefined ? {} : { "X-Abbado-Wait": String(wait) }),
      },
      body: JSON.stringify({ session_id: "s", cwd: "/", hook_event_name: name, ...fields }),
    });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    return { status: answer.status, body: (await answer.json()) as unknown };
  }

  /** Asks, and gives what the CLI is told in the end. Resolves once the approval is open. */
  async ask(question: Question): Promise<{ id: string; answer: Promise<unknown> }> {
    const id = randomUUID();
    const { tool_name, tool_input, tool_use_id } = question;
    if (tool_use_id !== undefined) {
      await this.#hook("PreToolUse", { tool_name, tool_input, tool_use_id });
    }
    const end = Date.now() + PATIENCE_MS;
    const wait = async () => {
      for (;;) {
        const { status, body } = await this.#hook("PermissionRequest", question, id, WAIT_S);
        if (status !== PENDING) return body;
        if (Date.now() > end) throw new Error("nobody decided");
      }
    };
    const answer = wait();
    answer.catch(() => undefined); // a test that does not look at it may end the server before
    await until("the approval", async () => (await this.approval(id)) !== undefined);
    return { id, answer };
  }

  /** The CLI reports a result: somebody answered in its terminal. */
  async answerInTerminal({ tool_name, tool_input, tool_use_id }: Question) {
    const call = { tool_name, tool_input, tool_use_id };
    await this.#hook("PostToolUse", { ...call, tool_response: "done" });
  }

  async approval(id: string): Promise<Approval | undefined> {
    const all = await this.#server.get<Approval[]>(`/api/runs/${this.run.id}/approvals`);
    return all.find(({ approval_id }) => approval_id === id);
  }
}
