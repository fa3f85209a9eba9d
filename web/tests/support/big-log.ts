// Fills a run's log through the real server: hooks over many kept connections, messages through a
// transcript, as a real CLI does it.
import { randomUUID } from "node:crypto";
import { appendFileSync, chmodSync, writeFileSync } from "node:fs";
import { Agent as Connections, request } from "node:http";
import { join } from "node:path";
import type { Run } from "../../src/api/client";
import { until, type TestServer } from "./server";

/** Hooks that are under way together. Each lane sends its own one after the other. */
const LANES = 32;

const PROSE =
  "I looked at the session and how it is kept. **Two** things are worth a change:\n\n" +
  "1. `login.rs` redirects twice when the cookie is old.\n2. The test for it sleeps.\n\n" +
  "```rust\nfn redirect(to: &str) -> Response {\n    Response::see_other(to)\n}\n```\n\n";

export class BigLog {
  readonly run: Run;
  #server: TestServer;
  #connections = new Connections({ keepAlive: true, maxSockets: LANES });
  #transcript: string;
  #session = randomUUID();
  #turn = 0;
  #call = 0;

  private constructor(server: TestServer, run: Run) {
    this.#server = server;
    this.run = run;
    this.#transcript = join(server.folder, `${run.id}.jsonl`);
    writeFileSync(this.#transcript, "");
  }

  /** A run whose CLI does nothing by itself. */
  static async open(server: TestServer): Promise<BigLog> {
    const program = join(server.folder, "idle-agent");
    writeFileSync(program, "#!/bin/sh\nexec sleep 100000\n");
    chmodSync(program, 0o755);
    const project = await server.project("Big");
    const agent = await server.agent(project.id, "demo", { provider_config: { bin: program } });
    const run = await server.run(agent.id, "Work for long");
    await until("the process lives", async () => {
      return (await server.get<Run>(`/api/runs/${run.id}`)).process.alive;
    });
    return new BigLog(server, run);
  }

  hook(name: string, more: Record<string, unknown>): Promise<void> {
    const body = JSON.stringify({
      hook_event_name: name,
      session_id: this.#session,
      transcript_path: this.#transcript,
      prompt_id: `turn-${this.#turn}`,
      ...more,
    });
    const { hostname, port } = new URL(this.#server.base);
    return new Promise((done, fail) => {
      const call = request(
        {
          agent: this.#connections,
          method: "POST",
          hostname,
          port,
          path: `/api/runs/${this.run.id}/hook`,
          headers: {
            "Content-Type": "application/json",
            "Content-Length": Buffer.byteLength(body),
          },
        },
        (answer) => {
          answer.resume();
          answer.on("end", () => {
            if (answer.statusCode === 200) done();
            else fail(new Error(`${name}: ${answer.statusCode}`));
          });
        },
      );
      call.on("error", fail);
      call.end(body);
    });
  }

  /** One tool call and its result. */
  async tool() {
    const n = ++this.#call;
    const tool_use_id = `toolu_${n}`;
    const file_path = `${this.#server.folder}/data/worktrees/${this.run.id}/site/src/part${n % 97}.rs`;
    const [tool_name, tool_input, tool_response] = (
      [
        ["Read", { file_path }, { type: "text", file: { content: `fn part() {}\n`.repeat(20) } }],
        [
          "Bash",
          { command: `cargo test part${n} -- --nocapture`, description: "Test" },
          { stdout: `test part${n} ... ok\n`.repeat(10), stderr: "", interrupted: false },
        ],
        [
          "Edit",
          {
            file_path,
            old_string: `let a = ${n};\n`,
            new_string: `let a = ${n + 1};\nlet b = 2;\n`,
          },
          { structuredPatch: [] },
        ],
        ["Grep", { pattern: `part_${n}`, path: "src" }, { mode: "content", content: "" }],
      ] as const
    )[n % 4] as [string, object, object];
    await this.hook("PreToolUse", { tool_name, tool_input, tool_use_id });
    const answer = n % 19 === 0 ? { error: "Exit code 101\nthread panicked" } : { tool_response };
    await this.hook(n % 19 === 0 ? "PostToolUseFailure" : "PostToolUse", {
      tool_name,
      tool_input,
      tool_use_id,
      ...answer,
    });
  }

  /** `count` tool calls with their results, many at once: twice as many events. */
  async tools(count: number) {
    let left = count;
    const lane = async () => {
      while (left-- > 0) await this.tool();
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }

  prompt(text: string) {
    this.#turn++;
    return this.hook("UserPromptSubmit", { prompt: text });
  }

  token(text: string, messageId: string) {
    return this.hook("MessageDisplay", { delta: text, message_id: messageId });
  }

  /** The agent says these texts and ends its turn. */
  async stop(texts: string[]) {
    const rows = texts.map((text) =>
      JSON.stringify({
        type: "assistant",
        uuid: randomUUID(),
        sessionId: this.#session,
        timestamp: new Date().toISOString(),
        message: {
          id: `msg_${randomUUID()}`,
          role: "assistant",
          model: "abbado-demo",
          content: [{ type: "text", text }],
          usage: { input_tokens: 100, output_tokens: 20 },
        },
      }),
    );
    appendFileSync(this.#transcript, rows.map((row) => `${row}\n`).join(""));
    await this.hook("Stop", { last_assistant_message: texts.at(-1), background_tasks: [] });
    // It is answered before the transcript is read and the checkpoint made.
    await this.#server.status(this.run.id, "paused");
  }

  async length(): Promise<number> {
    return (await this.#server.get<Run>(`/api/runs/${this.run.id}`)).last_sequence;
  }

  /** A message in pieces, one after the other, as the screen of a CLI shows it. */
  async speak(text: string, pieces: number) {
    const id = randomUUID();
    const length = Math.ceil(text.length / pieces);
    for (let at = 0; at < text.length; at += length) {
      await this.token(text.slice(at, at + length), id);
    }
  }

  /** Turns of about a thousand events each, until the log has `total`. */
  async fill(total: number) {
    for (let length = await this.length(); length < total; length = await this.length()) {
      await this.prompt(`Part ${this.#turn + 1}: make it right, and say what you changed.`);
      const spoken = `This is part ${this.#turn}.\n\n${PROSE}`;
      await this.speak(spoken, 6);
      const messages = Math.min(60, Math.max(1, total - length - 20));
      await this.tools(Math.max(1, Math.floor(Math.min(930, total - length - messages) / 2)));
      const more = Array.from({ length: messages - 1 }, (_, at) => PROSE.repeat(1 + (at % 3)));
      await this.stop([spoken, ...more]);
    }
  }

  close() {
    this.#connections.destroy();
  }
}
