#!/usr/bin/env python3
"""A scripted stand-in for three LLM HTTP APIs, for offline tests of coding CLIs.

Serves, on loopback, enough of
  * the Anthropic Messages API   POST /v1/messages, /v1/messages/count_tokens
  * the OpenAI Responses API     POST /v1/responses
  * the Gemini API               POST /v1beta/models/MODEL:streamGenerateContent, :generateContent
(streaming and not), plus GET /v1/models and harmless answers to probes.

A *scenario* is a JSON list of steps. One step is one model response:

  {"say": "text"}                                        assistant text
  {"say": "text", "call": {"tool": "Bash", "input": {}}} text, then a tool call
  {"calls": [{"tool": ..., "input": ...}, ...]}          parallel tool calls
  {"fail": 529, "message": "overloaded", "times": 2}     an HTTP error, N times
  {"cut": true, "say": "..."}                            drop the stream midway

Any step may carry "delay" (seconds before it answers), "chunk_delay" (seconds
between text deltas), "think" (text of a thinking/reasoning block) and "usage"
({"input": 1000, "output": 50, "cache_read": 0, "cache_write": 0}).
A call whose "input" is a string is sent as a free-form (custom) tool call.

The step is chosen from the request itself: the number of model responses since
the last human prompt is the index, so the server keeps no conversation state
(only a counter that makes "fail" steps stop failing). Past the last step the
answer is a short closing text. A prompt may name its scenario, "#scenario:NAME",
or carry one, "#steps:[...JSON...]"; otherwise "default" is used.

usage: model_server.py [--port 0] [--port-file F] [--scenarios F.json] [--log F.jsonl]
The scenarios file is {"NAME": [steps], ...}; "claude" and "codex" override the
built-in default of each API. The log gets one JSON line per request, with body.
"""
import argparse
import contextlib
import json
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLAUDE_DEFAULT = [
    {"say": "I will plan this first.", "think": "Two tasks are enough.", "calls": [
        {"tool": "TaskCreate", "input": {"subject": "Write hello.txt", "description": "Greet"}},
        {"tool": "TaskCreate", "input": {"subject": "List files", "description": "Check"}}]},
    {"call": {"tool": "TaskUpdate", "input": {"taskId": "1", "status": "in_progress"}}},
    {"say": "Writing the file.", "call": {"tool": "Write", "input": {
        "file_path": "{cwd}/hello.txt", "content": "hello\n"}}},
    {"call": {"tool": "Bash", "input": {"command": "ls", "description": "List files"}}},
    {"calls": [{"tool": "TaskUpdate", "input": {"taskId": "1", "status": "completed"}},
               {"tool": "TaskUpdate", "input": {"taskId": "2", "status": "completed"}}]},
    {"say": "Done: hello.txt is written and listed."},
]
CODEX_DEFAULT = [
    {"say": "I will plan this first.", "think": "Two steps are enough.", "call": {
        "tool": "update_plan", "input": {"plan": [
            {"step": "Write hello.txt", "status": "in_progress"},
            {"step": "List files", "status": "pending"}]}}},
    {"say": "Writing the file.", "call": {"tool": "apply_patch", "input":
        "*** Begin Patch\n*** Add File: hello.txt\n+hello\n*** End Patch\n"}},
    {"call": {"tool": "exec_command", "input": {"cmd": "ls"}}},
    {"call": {"tool": "update_plan", "input": {"plan": [
        {"step": "Write hello.txt", "status": "completed"},
        {"step": "List files", "status": "completed"}]}}},
    {"say": "Done: hello.txt is written and listed."},
]
CLOSING = {"say": "Nothing more to do."}
WORD = re.compile(r"\s*\S+\s*$|\s*\S+")
MODELS = ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "gpt-5-codex", "gpt-5"]


# ---- the script
def text_of(content):
    if isinstance(content, str):
        return content
    return "\n".join(b.get("text", "") for b in content or [] if isinstance(b, dict))


def is_human(text):
    """False for context which a CLI injects as user messages."""
    marks = r"<(system-reminder|(?:local-)?command-[a-z]+)>.*?</\1>"
    bare = re.sub(marks, "", text, flags=re.S).strip()
    bare = bare.replace("<pasted_content ", "", 1) if bare.startswith("<pasted_content ") else bare
    return bool(bare) and not bare.startswith(
        ("<", "# AGENTS.md", "Stop hook feedback", "[Request interrupted by user"))


def events(body):
    """The conversation as ('human', text) | ('model', None) | ('tool', None)."""
    if isinstance(body.get("input"), str):
        yield "human", body["input"]
        return
    for item in body.get("contents") or []:
        parts = item.get("parts") or []
        if item.get("role") == "model":
            yield "model", None
        elif any("functionResponse" in part for part in parts):
            yield "tool", None
        else:
            said = [p.get("text", "") for p in parts if is_human(p.get("text", ""))]
            if said:
                yield "human", "\n".join(said)
    for item in body.get("messages") or body.get("input") or []:
        role, kind = item.get("role"), item.get("type", "message")
        if role == "assistant" or kind in ("reasoning", "function_call", "custom_tool_call"):
            yield "model", None
        elif kind.endswith("_output"):
            yield "tool", None
        elif role == "user":
            blocks = item.get("content")
            if isinstance(blocks, list) and any(b.get("type") == "tool_result" for b in blocks):
                yield "tool", None
            # What is injected, and what a person says after an interrupt, may be one message.
            parts = blocks if isinstance(blocks, list) else [{"text": text_of(blocks)}]
            said = [b.get("text", "") for b in parts if is_human(b.get("text", ""))]
            if said:
                yield "human", "\n".join(said)


def position(body):
    """(last human prompt, its ordinal, model responses since then)."""
    prompt, turn, count, last = "", 0, 0, None
    for kind, text in events(body):
        if kind == "human":
            prompt, turn, count = text, turn + 1, 0
        elif kind == "model" and last != "model":
            count += 1
        last = kind
    return prompt, turn, count


MARK = "#steps:["


class Script:
    def __init__(self, scenarios):
        self.scenarios, self.failures, self.lock = scenarios, {}, threading.Lock()

    def steps(self, prompt, api):
        # The last ones: some CLIs quote the prompt once more, or join it to one left unanswered.
        found, rest = None, prompt
        while (at := rest.find(MARK)) >= 0:
            text = rest[at + len(MARK) - 1:]
            for rest in (text, text.replace('\\"', '"')):
                with contextlib.suppress(ValueError):
                    # What stands inside the steps is for whoever is told it.
                    found, end = json.JSONDecoder().raw_decode(rest)
                    rest = rest[end:]
                    break
            else:
                return [{"say": "The #steps of this prompt are not JSON."}]
        if found is not None:
            return found
        named = re.search(r"#scenario:([\w-]+)", prompt)
        return self.scenarios.get(named.group(1) if named else api, [CLOSING])

    def step(self, body, api, session):
        """The step which answers this request."""
        prompt, turn, count = position(body)
        at = 0
        for index, step in enumerate(self.steps(prompt, api)):
            if "fail" in step:
                key = (session, turn, index)
                with self.lock:
                    seen = self.failures.get(key, 0)
                    if at == count and seen < step.get("times", 1):
                        self.failures[key] = seen + 1
                        return step
            elif at == count:
                return step
            else:
                at += 1
        return CLOSING


def calls_of(step, body):
    """The step's tool calls, with {cwd} filled in from the request's own text."""
    marks = r"(?:[Ww]orking (?:in the )?directory: |<cwd>|Workspace Directories:\*\*\\n  - )"
    found = re.findall(marks + r"([^\s<\\\"]+)", json.dumps(body))
    raw = json.dumps(step.get("calls", []) + ([step["call"]] if "call" in step else []))
    calls = [{"input": {}, **c} for c in
             json.loads(raw.replace("{cwd}", found[-1] if found else "."))]
    if not code_mode(body):
        return calls
    return [c if c["tool"] == "exec" else {"tool": "exec", "namespace": "functions", "input":
            f"text(await tools.{c['tool']}({json.dumps(c['input'])}))"} for c in calls]


def example(schema):
    """A minimal value which satisfies a JSON schema (for structured side requests)."""
    kind = schema.get("type")
    if "enum" in schema:
        return schema["enum"][0]
    if kind == "object" or "properties" in schema:
        return {k: example(v) for k, v in schema.get("properties", {}).items()}
    return {"array": [], "boolean": False, "integer": 0, "number": 0}.get(kind, "Scripted session")


def code_mode(body):
    """True when the tools are offered as JavaScript functions behind one `exec` tool."""
    items = body.get("input") if isinstance(body.get("input"), list) else []
    return any(i.get("type") == "additional_tools" for i in items)


def is_side(body):
    """True for requests outside the conversation: titles, probes, compaction."""
    return (not (body.get("tools") or code_mode(body)) or schema_of(body) is not None
            or "create a detailed summary of" in position(body)[0])


def schema_of(body):
    """The JSON schema which the answer must have, if any."""
    fmt = (body.get("output_config") or {}).get("format") or (body.get("text") or {}).get("format")
    config = body.get("generationConfig") or {}
    return (fmt or {}).get("schema") or config.get("responseJsonSchema")


def side_answer(body):
    schema = schema_of(body)
    said = json.dumps(example(schema)) if schema else "Scripted session"
    return {"say": said, "usage": {"input": 0, "output": 0}}


def usage_of(step, body):
    """(input, output, cache read, cache write) tokens; guessed from sizes if not given."""
    given = step.get("usage", {})
    return (given.get("input", len(json.dumps(body)) // 4 + 1),
            given.get("output", len(json.dumps(step)) // 4 + 1),
            given.get("cache_read", 0), given.get("cache_write", 0))


# ---- Messages API
def anthropic_message(step, body):
    inp, out, read, write = usage_of(step, body)
    blocks = []
    if step.get("think") and (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        blocks.append({"type": "thinking", "thinking": step["think"], "signature": "c2NyaXB0ZWQ="})
    if step.get("say"):
        blocks.append({"type": "text", "text": step["say"]})
    for call in calls_of(step, body):
        blocks.append({"type": "tool_use", "id": "toolu_" + uuid.uuid4().hex[:24],
                       "name": call["tool"], "input": call["input"]})
    return {"id": "msg_" + uuid.uuid4().hex[:24], "type": "message", "role": "assistant",
            "model": body.get("model", "scripted"), "content": blocks, "stop_sequence": None,
            "stop_reason": "tool_use" if any(b["type"] == "tool_use" for b in blocks) else "end_turn",
            "usage": {"input_tokens": inp, "output_tokens": out, "cache_read_input_tokens": read,
                      "cache_creation_input_tokens": write, "service_tier": "standard"}}


def anthropic_stream(step, body):
    msg = anthropic_message(step, body)
    blocks, stop, usage = msg["content"], msg["stop_reason"], msg["usage"]
    yield "message_start", {"message": {**msg, "content": [], "stop_reason": None,
                                        "usage": {**usage, "output_tokens": 1}}}
    for i, block in enumerate(blocks):
        kind = block["type"]
        empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""},
                 "tool_use": {"input": {}}}[kind]
        yield "content_block_start", {"index": i, "content_block": {**block, **empty}}
        if kind == "tool_use":
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        elif kind == "thinking":
            deltas = [{"type": "thinking_delta", "thinking": block["thinking"]},
                      {"type": "signature_delta", "signature": block["signature"]}]
        else:
            deltas = [{"type": "text_delta", "text": w} for w in WORD.findall(block["text"])]
        for delta in deltas:
            yield "content_block_delta", {"index": i, "delta": delta}
        yield "content_block_stop", {"index": i}
    yield "message_delta", {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage}
    yield "message_stop", {}


# ---- Responses API
def openai_items(step, body):
    items = []
    if step.get("think"):
        items.append({"type": "reasoning", "id": "rs_" + uuid.uuid4().hex, "encrypted_content": None,
                      "summary": [{"type": "summary_text", "text": step["think"]}]})
    if step.get("say"):
        items.append({"type": "message", "id": "msg_" + uuid.uuid4().hex, "role": "assistant",
                      "status": "completed", "content": [
                          {"type": "output_text", "text": step["say"], "annotations": []}]})
    for call in calls_of(step, body):
        item = {"id": "fc_" + uuid.uuid4().hex, "call_id": "call_" + uuid.uuid4().hex[:24],
                "name": call["tool"], "namespace": call.get("namespace"), "status": "completed"}
        items.append({**item, "type": "custom_tool_call", "input": call["input"]}
                     if isinstance(call["input"], str) else
                     {**item, "type": "function_call", "arguments": json.dumps(call["input"])})
    return items


def openai_response(step, body):
    inp, out, read, _ = usage_of(step, body)
    return {"id": "resp_" + uuid.uuid4().hex, "object": "response", "status": "completed",
            "created_at": int(time.time()), "model": body.get("model", "scripted"), "error": None,
            "output": openai_items(step, body), "usage": {
                "input_tokens": inp, "input_tokens_details": {"cached_tokens": read},
                "output_tokens": out, "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": inp + out}}


def openai_stream(step, body):
    full = openai_response(step, body)
    opening = {**full, "status": "in_progress", "output": [], "usage": None}
    yield "response.created", {"response": opening}
    for i, item in enumerate(full["output"]):
        blank = {"message": {"content": []}, "reasoning": {"summary": []},
                 "function_call": {"arguments": ""}, "custom_tool_call": {"input": ""}}[item["type"]]
        at = {"output_index": i, "item_id": item["id"]}
        yield "response.output_item.added", {"output_index": i, "item": {**item, **blank}}
        if item["type"] == "message":
            for piece in WORD.findall(item["content"][0]["text"]):
                yield "response.output_text.delta", {**at, "content_index": 0, "delta": piece}
        elif item["type"] == "reasoning":
            yield "response.reasoning_summary_text.delta", {
                **at, "summary_index": 0, "delta": item["summary"][0]["text"]}
        elif item["type"] == "function_call":
            yield "response.function_call_arguments.delta", {**at, "delta": item["arguments"]}
        yield "response.output_item.done", {"output_index": i, "item": item}
    yield "response.completed", {"response": full}


# ---- Gemini API
def gemini_response(step, body):
    inp, out, read, _ = usage_of(step, body)
    parts = [{"text": step["say"]}] if step.get("say") else []
    parts += [{"functionCall": {"id": "call_" + uuid.uuid4().hex[:24], "name": call["tool"],
                                "args": call["input"]}} for call in calls_of(step, body)]
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP",
                            "index": 0}],
            "usageMetadata": {"promptTokenCount": inp + read, "candidatesTokenCount": out,
                              "cachedContentTokenCount": read, "totalTokenCount": inp + out + read},
            "modelVersion": "scripted", "responseId": uuid.uuid4().hex}


def gemini_stream(step, body):
    """Each part as a chunk of its own; only the last one says that it is the end."""
    full = gemini_response(step, body)
    last = full["candidates"][0]
    for part in last["content"]["parts"][:-1]:
        yield "", {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}],
                   "modelVersion": "scripted", "responseId": full["responseId"]}
    last["content"]["parts"] = last["content"]["parts"][-1:]
    yield "", full


# ---- HTTP
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script, log_path, log_lock = None, None, threading.Lock()

    def log_message(self, *_):
        pass

    def record(self, body, note):
        if self.log_path:
            headers = {k.lower(): v for k, v in self.headers.items()}
            for secret in {"authorization", "x-api-key", "x-goog-api-key"} & headers.keys():
                headers[secret] = "***"
            with self.log_lock, open(self.log_path, "a") as f:
                f.write(json.dumps({"t": round(time.time(), 3), "method": self.command, "note": note,
                                    "path": self.path, "headers": headers, "body": body}) + "\n")

    def reply(self, status, obj, extra=()):
        data = json.dumps(obj).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for k, v in extra:
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)

    def stream(self, step, gen):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("cache-control", "no-cache")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for n, (name, data) in enumerate(gen):
            if step.get("cut") and n == 4:
                self.close_connection = True
                return
            if name.endswith("delta") and step.get("chunk_delay"):
                time.sleep(step["chunk_delay"])
            payload = {"type": name, "sequence_number": n, **data} if name else data
            event = f"event: {name}\n" if name else ""
            chunk = f"{event}data: {json.dumps(payload)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        self.record(None, "probe")
        if self.path.split("?")[0].endswith("/models"):
            self.reply(200, {"object": "list", "has_more": False, "data": [
                {"id": m, "type": "model", "object": "model", "display_name": m, "created": 1,
                 "created_at": "2025-01-01T00:00:00Z"} for m in MODELS]})
        else:
            self.reply(200, {})

    do_HEAD = do_GET

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.loads(raw or b"{}")
        path = self.path.split("?")[0].rstrip("/")
        if path.endswith("/count_tokens"):
            self.record(body, "count")
            return self.reply(200, {"input_tokens": len(raw) // 4})
        if path.endswith(":countTokens"):
            self.record(body, "count")
            return self.reply(200, {"totalTokens": len(raw) // 4})
        api = {"messages": "claude", "responses": "codex"}.get(path.rsplit("/", 1)[-1])
        streams = bool(body.get("stream"))
        if path.endswith(("streamGenerateContent", "generateContent")):
            api, streams = "gemini", path.endswith("streamGenerateContent")
        if not api:
            self.record(body, "unknown")
            return self.reply(404, {"error": {"type": "not_found_error", "message": path}})
        session = (self.headers.get("x-claude-code-session-id") or body.get("prompt_cache_key")
                   or self.headers.get("session_id") or "")
        side = is_side(body)
        self.record(body, "side" if side else "step")
        step = side_answer(body) if side else self.script.step(body, api, session)
        time.sleep(step.get("delay", 0))
        if "fail" in step:
            kind = {400: "invalid_request_error", 401: "authentication_error",
                    429: "rate_limit_error", 529: "overloaded_error"}.get(step["fail"], "api_error")
            error = {"type": kind, "message": step.get("message", "scripted failure")}
            if api == "gemini":
                error = {"code": step["fail"], "message": error["message"], "status": kind.upper()}
            return self.reply(step["fail"], {"type": "error", "error": error},
                              step.get("headers", {}).items())
        try:
            streamed, whole = {"claude": (anthropic_stream, anthropic_message),
                               "codex": (openai_stream, openai_response),
                               "gemini": (gemini_stream, gemini_response)}[api]
            if streams:
                self.stream(step, streamed(step, body))
            else:
                self.reply(200, whole(step, body))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def main():
    ap = argparse.ArgumentParser(description="scripted LLM API on loopback")
    ap.add_argument("--port", type=int, default=0, help="0 picks a free one")
    ap.add_argument("--port-file", help="write the port here once it listens")
    ap.add_argument("--scenarios", help="JSON object of named step lists")
    ap.add_argument("--log", help="append each request here, one JSON per line")
    args = ap.parse_args()
    scenarios = {"claude": CLAUDE_DEFAULT, "codex": CODEX_DEFAULT}
    if args.scenarios:
        with open(args.scenarios) as f:
            scenarios.update(json.load(f))
    Handler.script, Handler.log_path = Script(scenarios), args.log
    server = ThreadingHTTPServer(("127.0.0.1", args.port), Handler)
    server.daemon_threads = True
    if args.port_file:
        with open(args.port_file, "w") as f:
            f.write(str(server.server_port))
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
