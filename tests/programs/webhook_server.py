#!/usr/bin/env python3
"""A stand-in for a Discord webhook, on loopback, for offline tests.

Takes what Discord would take: one JSON object with 1 to 10 embeds within Discord's limits that
asks for confirmation (`wait=true`) and pings nobody; else 400. Every request is recorded.

A test talks to it on a path that is not recorded:
  POST /_/next [{"status": 429, "headers": {}, "body": {}}, ...]   what comes next instead
  POST /_/always {"status": 500}                                   from now on; {} takes again
An answer may also be {"drop": true} (the connection is cut instead of an answer), {"hang": true}
(nothing comes), {"slow": 500} (taken, and answered so many milliseconds later).

usage: webhook_server.py --log F.jsonl --port-file F [--port N] [--tls F.pem]
The log gets one JSON line per request: path, seconds on a clock, status (0 for none), body.
"""
import argparse
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def fault(query, message):
    """What Discord would not take about a message, or nothing."""
    if parse_qs(query).get("wait") != ["true"]:
        return "not asked to confirm"
    embeds = message.get("embeds")
    if not isinstance(embeds, list) or not 1 <= len(embeds) <= 10:
        return "embeds"
    if message.get("allowed_mentions") != {"parse": []}:
        return "allowed_mentions"
    total = 0
    for embed in embeds:
        fields = embed.get("fields", [])
        parts = [(embed.get("title", ""), 256), (embed.get("description", ""), 4096),
                 (embed.get("footer", {}).get("text", ""), 2048)]
        for field in fields:
            if not field["name"].strip() or not field["value"].strip():
                return "a field is blank"
            parts += [(field["name"], 256), (field["value"], 1024)]
        if len(fields) > 25 or any(len(text) > limit for text, limit in parts):
            return "a part is too long"
        total += sum(len(text) for text, _ in parts)
    return "all is too long" if total > 6000 else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    next, always, log = [], {}, None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.record(405, None)
        self.answer(405, {"message": "405: Method Not Allowed"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
        if self.path == "/_/next":
            Handler.next.extend(body)
            return self.answer(200, {})
        if self.path == "/_/always":
            Handler.always = body
            return self.answer(200, {})
        with self.lock:
            step = Handler.next.pop(0) if Handler.next else Handler.always
        if step.get("drop") or step.get("hang"):
            self.record(0, body)
            self.close_connection = True
            return threading.Event().wait() if step.get("hang") else None
        if "status" in step:
            self.record(step["status"], body)
            return self.answer(step["status"], step.get("body"), step.get("headers", {}))
        wrong = fault(urlsplit(self.path).query, body)
        status = 400 if wrong else 200
        self.record(status, body)
        time.sleep(step.get("slow", 0) / 1000)
        return self.answer(status, {"message": wrong} if wrong else {"id": "1"})

    def record(self, status, body):
        line = {"path": self.path, "at": time.monotonic(), "status": status, "body": body}
        with self.lock, open(self.log, "a") as f:
            f.write(json.dumps(line) + "\n")

    def answer(self, status, body, headers=()):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        """A client that is killed in the middle, or does not trust us, is no news."""


def main():
    ap = argparse.ArgumentParser(description="a Discord webhook on loopback")
    ap.add_argument("--log", required=True, help="append each request here, one JSON per line")
    ap.add_argument("--port-file", required=True, help="write the port here once it listens")
    ap.add_argument("--port", type=int, default=0, help="listen there; 0 takes a free port")
    ap.add_argument("--tls", help="serve https with this certificate and key")
    args = ap.parse_args()
    Handler.log = args.log
    server = Server(("127.0.0.1", args.port), Handler)
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    with open(args.port_file, "w") as f:
        f.write(str(server.server_port))
    server.serve_forever()


if __name__ == "__main__":
    main()
