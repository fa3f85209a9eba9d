// Written by abbado for one run. Tells the run's hook program what happens in OpenCode's sessions,
// with Claude's event names, and keeps a transcript of each session beside itself.
import { spawn } from "node:child_process"
import { appendFileSync, readFileSync } from "node:fs"
import { join } from "node:path"

const HOOK = process.env.ABBADO_HOOK
const FOLDER = process.env.ABBADO_RUN_DIR
// The hook program takes one second at most; the rest is for a machine under load.
const HOOK_MILLISECONDS = 5000

// The session to resume: the interface takes no prompt for one from its command line.
const RESUMED = null

// One hook after the other, so that they arrive in the order in which things happened.
let line = Promise.resolve()
const tell = (payload) => {
  line = line.then(() => deliver(payload)).catch(() => {})
  return line
}
const deliver = (payload) =>
  new Promise((done) => {
    const hook = spawn(HOOK, [], { stdio: ["pipe", "ignore", "ignore"], timeout: HOOK_MILLISECONDS })
    hook.on("error", done)
    hook.on("close", done)
    hook.stdin.on("error", () => {})
    hook.stdin.end(JSON.stringify(payload))
  })

const parents = new Map() // session of a subagent -> session that asked for it
const roots = new Map() // session of a person -> what is known of it
const written = new Set() // answers that are in the transcript
const texts = new Map() // answer -> its texts, by part
const failed = new Set() // calls whose failure was told

const transcript = (session) => join(FOLDER, `opencode-${session}.jsonl`)
const rootOf = (session) => {
  let root = session
  while (parents.has(root)) root = parents.get(root)
  return root
}
const common = (session) => {
  const root = rootOf(session)
  const own = { session_id: root, transcript_path: transcript(root), cwd: process.cwd() }
  return root === session ? own : { ...own, agent_id: session }
}

// A session that is gone on with was not created in this process.
const known = (session) => {
  const root = rootOf(session)
  if (roots.has(root)) return roots.get(root)
  const state = { busy: false, failed: false, last: "", cost: 0 }
  try {
    for (const row of readFileSync(transcript(root), "utf8").split("\n")) {
      if (row.includes('"cost-state"')) state.cost = JSON.parse(row).totalCostUSD
    }
  } catch {}
  roots.set(root, state)
  tell({ hook_event_name: "SessionStart", ...common(root), source: "startup" })
  return state
}

const keep = (session, row) => appendFileSync(transcript(rootOf(session)), JSON.stringify(row) + "\n")

// A whole answer of the model: its text, tokens and cost go into the transcript.
const answered = (info) => {
  if (written.has(info.id)) return
  written.add(info.id)
  const text = [...(texts.get(info.id)?.values() ?? [])].join("\n\n").trim()
  texts.delete(info.id)
  const state = known(info.sessionID)
  const side = parents.has(info.sessionID)
  if (text && !side) state.last = text
  const { input = 0, output = 0, reasoning = 0, cache = {} } = info.tokens ?? {}
  keep(info.sessionID, {
    type: "assistant",
    isSidechain: side,
    message: {
      id: info.id,
      model: `${info.providerID}/${info.modelID}`,
      content: text ? [{ type: "text", text }] : [],
      usage: {
        input_tokens: input,
        output_tokens: output + reasoning,
        cache_read_input_tokens: cache.read ?? 0,
        cache_creation_input_tokens: cache.write ?? 0,
      },
    },
  })
  // Nothing is said about a model without a price: 0 would be a lie.
  if (info.cost > 0) {
    state.cost += info.cost
    keep(info.sessionID, { type: "cost-state", totalCostUSD: state.cost })
  }
}

const idle = (session) => {
  const state = known(session)
  if (parents.has(session)) {
    return tell({ hook_event_name: "SubagentStop", ...common(session), agent_type: "subagent" })
  }
  if (!state.busy) return
  state.busy = false
  if (!state.failed) {
    const last_assistant_message = state.last
    return tell({ hook_event_name: "Stop", ...common(session), last_assistant_message })
  }
}

const failure = (session, error) => {
  const state = known(session)
  if (parents.has(session)) return
  state.failed = true
  if (error?.name === "MessageAbortedError") {
    return tell({ hook_event_name: "Interrupt", ...common(session) })
  }
  const said = error?.data?.message ?? error?.name ?? ""
  const payload = { error: error?.name ?? "unknown", last_assistant_message: said }
  return tell({ hook_event_name: "StopFailure", ...common(session), ...payload })
}

const part = (it) => {
  if (it.type === "text" && it.time?.end) {
    if (!texts.has(it.messageID)) texts.set(it.messageID, new Map())
    texts.get(it.messageID).set(it.id, it.text)
  }
  if (it.type === "tool" && it.state?.status === "error" && !failed.has(it.callID)) {
    failed.add(it.callID)
    // A result that comes after the turn was stopped is no sign of work.
    if (known(it.sessionID).failed) return
    const call = { tool_name: it.tool, tool_input: it.state.input, tool_use_id: it.callID }
    return tell({
      hook_event_name: "PostToolUseFailure", ...common(it.sessionID), ...call, error: it.state.error,
    })
  }
}

const asked = ({ sessionID, permission, patterns, metadata }) => {
  known(sessionID)
  const tool_input = { ...metadata, description: (patterns ?? []).join(" ") }
  return tell({ hook_event_name: "PermissionRequest", ...common(sessionID), tool_name: permission, tool_input })
}

const event = async ({ event: { type, properties: it } }) => {
  switch (type) {
    case "session.created":
      if (it.info.parentID) {
        parents.set(it.info.id, it.info.parentID)
        const agent_type = it.info.agent ?? "subagent"
        return tell({ hook_event_name: "SubagentStart", ...common(it.info.id), agent_type })
      }
      known(it.info.id)
      return
    case "session.status":
      if (it.status.type === "idle") return idle(it.sessionID)
      known(it.sessionID).busy = true
      return
    case "session.error":
      if (it.sessionID) return failure(it.sessionID, it.error)
      return
    case "message.updated":
      if (it.info.role === "assistant" && it.info.time?.completed) answered(it.info)
      return
    case "message.part.updated":
      return part(it.part)
    case "permission.asked":
      return asked(it)
    case "question.asked":
      known(it.sessionID)
      return tell({
        hook_event_name: "PermissionRequest", ...common(it.sessionID), tool_name: "question",
        tool_input: { questions: it.questions },
      })
  }
}

// `opencode run` puts a message with spaces into quotes. What the run was told stands in its
// environment; the model is to hear that.
const TASK = process.env.ABBADO_TASK ?? ""
const QUOTED = `"${TASK.replace(/"/g, '\\"')}`
const unquote = (parts) => {
  for (const it of parts) {
    const quoted = it.type === "text" && it.text.startsWith(QUOTED)
    if (quoted && /^ ?"\s*$/.test(it.text.slice(QUOTED.length))) it.text = TASK
  }
}

const told = (parts) =>
  parts.filter((it) => it.type === "text" && !it.synthetic).map((it) => it.text).join("\n")

// Once a process, also when the plugin is loaded again.
const resume = async (client) => {
  if (!RESUMED || globalThis.abbadoResumed) return
  globalThis.abbadoResumed = true
  const parts = [{ type: "text", text: TASK }]
  const answer = await client.session.promptAsync({ path: { id: RESUMED }, body: { parts } })
  if (answer.error) {
    const error = { data: { message: `OpenCode did not resume: ${JSON.stringify(answer.error)}` } }
    await failure(RESUMED, error)
  }
}

export const Abbado = async ({ client }) => {
  if (!HOOK || !FOLDER) return {}
  // It waits for the instance, which waits for the plugin.
  resume(client).catch((error) => failure(RESUMED, { data: { message: String(error) } }))
  return {
    event,
    "chat.message": async ({ sessionID }, { message, parts }) => {
      const state = known(sessionID)
      if (parents.has(sessionID)) return
      unquote(parts)
      Object.assign(state, { busy: true, failed: false, last: "" })
      const { providerID, modelID } = message.model ?? {}
      const model = modelID && `${providerID}/${modelID}`
      await tell({ hook_event_name: "UserPromptSubmit", ...common(sessionID), prompt: told(parts), model })
    },
    "tool.execute.before": async ({ tool, sessionID, callID }, { args }) => {
      known(sessionID)
      const call = { tool_name: tool, tool_input: args, tool_use_id: callID }
      await tell({ hook_event_name: "PreToolUse", ...common(sessionID), ...call })
    },
    "tool.execute.after": async ({ tool, sessionID, callID, args }, { title, output }) => {
      const call = { tool_name: tool, tool_input: args, tool_use_id: callID }
      const tool_response = { title, output }
      if (known(sessionID).failed) return
      await tell({ hook_event_name: "PostToolUse", ...common(sessionID), ...call, tool_response })
    },
    dispose: () => line,
  }
}
