#!/usr/bin/env python3
"""A git remote over HTTP for offline tests: git's own `git http-backend` behind basic auth.

usage: git_http_server.py --root FOLDER --user U --password P [--port-file F] [--log F]
Serves the bare repositories below FOLDER on loopback. Whoever does not name user and password
gets a 401 that asks for them. The log gets one line per request: the status and the path.
"""
import argparse
import base64
import os
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

GIT_CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fixtures/gitconfig")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body):
        if self.server.log_path:
            with open(self.server.log_path, "a", encoding="utf-8") as log:
                log.write(f"{status} {self.path}\n")
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def serve(self):
        body = self.body()
        if self.headers.get("Authorization") != self.server.authorization:
            self.answer(401, [("WWW-Authenticate", 'Basic realm="test"')], b"who are you?\n")
            return
        parts = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": self.server.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_SYSTEM": GIT_CONFIG,
            "REQUEST_METHOD": self.command,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "tester",
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment,
                              stdout=subprocess.PIPE, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        headers = [(name, value) for name, value in headers if name != "Status"]
        self.answer(int(status.split()[0]), headers, content)

    do_GET = do_POST = serve


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--port-file")
    parser.add_argument("--log", dest="log_path")
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pair = f"{options.user}:{options.password}".encode()
    server.authorization = "Basic " + base64.b64encode(pair).decode()
    server.root, server.log_path = os.path.abspath(options.root), options.log_path
    if options.port_file:
        temporary = options.port_file + ".new"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(str(server.server_address[1]))
        os.rename(temporary, options.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
