#!/usr/bin/env python3
"""A stand-in for the APIs of GitHub and GitLab, in memory, for offline tests.

Serves, on loopback, enough of
  * GitHub   /repos/O/R, /repos/O/R/pulls[/N], /graphql (pull requests by head)
  * GitLab   /api/v4/projects/G%2FP, .../merge_requests[/N], /api/graphql (by source branch)

Both are checked as the real ones do: the token, what a new pull request needs, that a head has
one open pull request at most, that a query declares what it uses. Reads over REST carry an ETag
and answer 304 to it. Every API answer that is not 304 costs one of the budget, and says so.

A test talks to it on paths that are not logged:
  POST /_/repository {"name": "o/r", "default_branch": "main"}        a new repository
  POST /_/pull {"repository": "o/r", "head": "b", ...}                a pull request in it
  POST /_/budget {"limit": 5000, "remaining": 3000, "reset": 1800000000}
  POST /_/next [{"status": 429, "headers": {}, "body": {}}, ...]      what comes next instead
An answer that comes next may also be {"hang": true} (nothing comes), {"stall": true} (the head
and half a body), {"text": "..."} (no JSON), {"bytes": N, "chunked": true} (a body of N bytes),
{"pull": {...}} (somebody opens one, then the request is served), {} (the request is served),
{"echo": true} (a 401 that repeats the token).

usage: forge_server.py --token T [--port-file F] [--log F.jsonl] [--tls F.pem]
The log gets one JSON line per request, with body and status, without the token.
"""
import argparse
import hashlib
import json
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

GITLAB_STATES = {"open": "opened", "closed": "closed", "merged": "merged"}


class World:
    """All repositories, and what the next answers are."""

    def __init__(self, token, log):
        self.token, self.log, self.lock = token, log, threading.Lock()
        self.repositories, self.next, self.url = {}, [], ""
        self.budget = {"limit": 5000, "remaining": 5000, "reset": 1900000000}
        self.ended = threading.Event()

    def pull(self, name, **given):
        repository = self.repositories[name]
        number = len(repository["pulls"]) + 1
        pull = {"number": number, "title": f"Pull {number}", "body": "", "base": "main",
                "state": "open", "draft": False, "checks": None, "fork": False, **given}
        pull.setdefault("from", "stranger/fork" if pull["fork"] else name)
        repository["pulls"].append(pull)
        return pull

    def open_of(self, name, head, source=None):
        return [p for p in self.repositories[name]["pulls"]
                if p["head"] == head and p["state"] == "open" and p["from"] == (source or name)]

    def id_of(self, name):
        names = list(self.repositories)
        return names.index(name) + 1 if name in names else 1000

    def source(self, base, owner, name=None):
        """The repository of `owner` that a pull request to `base` comes from."""
        for full in self.repositories:
            if full == f"{owner}/{name or base.split('/')[1]}":
                return full
        raise Refused(422, {"message": "Validation Failed", "errors": [
            {"resource": "PullRequest", "field": "head", "code": "invalid"}]})


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


# ---- GitHub
def github_pull(world, name, pull):
    owner = pull["from"].split("/")[0]
    return {"id": 1000 + pull["number"], "number": pull["number"], "state": pull["state"],
            "html_url": f"{world.url}/{name}/pull/{pull['number']}", "title": pull["title"],
            "body": pull["body"], "draft": pull["draft"],
            "head": {"ref": pull["head"], "label": f"{owner}:{pull['head']}",
                     "repo": {"id": world.id_of(pull["from"]), "full_name": pull["from"]}},
            "base": {"ref": pull["base"], "repo": {"id": world.id_of(name)}}}


def github(world, method, path, query, body):
    branch = re.fullmatch(r"/repos/([^/]+/[^/]+)/branches/(.+)", path)
    match = branch or re.fullmatch(r"/repos/([^/]+/[^/]+)(/pulls(?:/(\d+))?)?", path)
    name = match and match.group(1)
    if name not in world.repositories or branch and unquote(
            branch.group(2)) not in world.repositories[name].get("branches", []):
        raise Refused(404, {"message": "Not Found", "documentation_url": "https://docs.example"})
    repository = world.repositories[name]
    if branch:
        return 200, {"name": unquote(branch.group(2)), "protected": False}
    if not match.group(2):
        return 200, {"id": world.id_of(name), "full_name": name,
                     "default_branch": repository["default_branch"]}
    if match.group(3):
        pull = repository["pulls"][int(match.group(3)) - 1]
        if method == "PATCH":
            pull.update({k: v for k, v in body.items() if k in ("title", "body")})
        return 200, github_pull(world, name, pull)
    if method == "GET":
        found = repository["pulls"]
        if query.get("state", "open") != "all":
            found = [p for p in found if p["state"] == query.get("state", "open")]
        if ":" in query.get("head", ""):
            found = [p for p in found if p["head"] == query["head"].split(":", 1)[1]]
        return 200, [github_pull(world, name, p) for p in reversed(found)]
    errors = [{"resource": "PullRequest", "field": key, "code": "missing_field"}
              for key in ("title", "head", "base") if not body.get(key)]
    owner, _, head = body.get("head", "").rpartition(":")
    source = world.source(name, owner, body.get("head_repo")) if owner else name
    if head == body.get("base") and source == name:
        errors = [{"message": f"No commits between {body['base']} and {body['head']}"}]
    if world.open_of(name, head, source):
        owner = source.split("/")[0]
        errors = [{"message": f"A pull request already exists for {owner}:{head}."}]
    if errors:
        raise Refused(422, {"message": "Validation Failed", "errors": errors})
    made = {k: body[k] for k in ("title", "body", "base", "draft")}
    made.update({"head": head, "from": source, "fork": source != name})
    return 201, github_pull(world, name, world.pull(name, **made))


def github_graphql(world, query, variables):
    name = f"{variables['owner']}/{variables['name']}"
    if name not in world.repositories:
        return {"data": {"repository": None}, "errors": [{
            "type": "NOT_FOUND", "path": ["repository"],
            "message": f"Could not resolve to a Repository with the name '{name}'."}]}
    answer = {}
    asked = r"(\w+): pullRequests\(headRefName: \$(\w+), first: (\d+), orderBy: {field: CREATED_AT"
    for alias, variable, first in re.findall(asked, query):
        found = [p for p in world.repositories[name]["pulls"] if p["head"] == variables[variable]]
        answer[alias] = {"nodes": [
            {"number": p["number"], "title": p["title"], "state": p["state"].upper(),
             "url": f"{world.url}/{name}/pull/{p['number']}", "isDraft": p["draft"],
             "isCrossRepository": p["fork"],
             "headRepository": {"nameWithOwner": p["from"]}, "commits": {"nodes": [{"commit": {
                 "statusCheckRollup": p["checks"] and {"state": p["checks"]}}}]}}
            for p in found[::-1][:int(first)]]}
    return {"data": {"repository": answer}}


# ---- GitLab
def gitlab_mr(world, name, pull):
    return {"id": 1000 + pull["number"], "iid": pull["number"], "title": pull["title"],
            "description": pull["body"], "state": GITLAB_STATES[pull["state"]],
            "web_url": f"{world.url}/{name}/-/merge_requests/{pull['number']}",
            "source_branch": pull["head"], "target_branch": pull["base"], "draft": pull["draft"],
            "source_project_id": world.id_of(pull["from"]),
            "target_project_id": world.id_of(name)}


def gitlab(world, method, path, query, body):
    branch = re.fullmatch(r"/projects/([^/]+)/repository/branches/([^/]+)", path)
    match = branch or re.fullmatch(r"/projects/([^/]+)(/merge_requests(?:/(\d+))?)?", path)
    name = match and unquote(match.group(1))
    if name not in world.repositories or branch and unquote(
            branch.group(2)) not in world.repositories[name].get("branches", []):
        raise Refused(404, {"message": "404 Not Found"})
    repository = world.repositories[name]
    if branch:
        return 200, {"name": unquote(branch.group(2)), "protected": False}
    if not match.group(2):
        return 200, {"id": world.id_of(name), "default_branch": repository["default_branch"]}
    if match.group(3):
        pull = repository["pulls"][int(match.group(3)) - 1]
        if method == "PUT":
            pull["body"] = body.get("description", pull["body"])
        return 200, gitlab_mr(world, name, pull)
    if method == "GET":
        found = [p for p in repository["pulls"] if p["head"] == query["source_branch"]]
        found = [p for p in found if GITLAB_STATES[p["state"]] == query["state"]]
        return 200, [gitlab_mr(world, name, p) for p in reversed(found)]
    missing = [k for k in ("title", "source_branch", "target_branch") if not body.get(k)]
    if missing:
        raise Refused(400, {"error": ", ".join(f"{key} is missing" for key in missing)})
    source = name
    if "target_project_id" in body:
        name = list(world.repositories)[body["target_project_id"] - 1]
    if body["source_branch"] == body["target_branch"] and source == name:
        raise Refused(422, {"message": ["You can't use same project/branch for source and target"]})
    if there := world.open_of(name, body["source_branch"], source):
        raise Refused(409, {"message": ["Another open merge request already exists for this source"
                                        f" branch: !{there[0]['number']}"]})
    return 201, gitlab_mr(world, name, world.pull(
        name, title=body["title"], body=body.get("description", ""), head=body["source_branch"],
        base=body["target_branch"], draft=body["title"].startswith("Draft: "),
        fork=source != name, **{"from": source}))


def gitlab_graphql(world, query, variables):
    assert "mergeRequests(sourceBranches: $branches, sort: CREATED_DESC, first: 100)" in query
    name = variables["path"]
    if name not in world.repositories:
        return {"data": {"project": None}}
    found = [p for p in world.repositories[name]["pulls"] if p["head"] in variables["branches"]]
    return {"data": {"project": {"mergeRequests": {"nodes": [
        {"iid": str(p["number"]), "title": p["title"], "state": GITLAB_STATES[p["state"]],
         "webUrl": f"{world.url}/{name}/-/merge_requests/{p['number']}", "draft": p["draft"],
         "sourceBranch": p["head"], "sourceProjectId": world.id_of(p["from"]),
         "targetProjectId": world.id_of(name), "headPipeline": p["checks"] and {"status": p["checks"]}}
        for p in found[::-1][:100]]}}}}


def checked(query, variables):
    """Refuses a query that GraphQL itself would refuse."""
    declared = set(re.findall(r"\$(\w+): ", query.split(")", 1)[0]))
    used = set(re.findall(r"\$(\w+)", query.split(")", 1)[1]))
    if declared != used or declared != set(variables) or query.count("{") != query.count("}"):
        raise Refused(200, {"data": None, "errors": [{"message": "The query is malformed"}]})


# ---- HTTP
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world = None

    def log_message(self, *_):
        pass

    def reply(self, status, body, headers=(), raw=None):
        data = json.dumps(body).encode() if raw is None else raw
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        for name, value in headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("content-length", str(len(data)))
        self.end_headers()
        if status != 304:
            self.wfile.write(data)

    def record(self, status, body):
        if self.world.log:
            with self.world.lock, open(self.world.log, "a") as f:
                headers = {k.lower(): v for k, v in self.headers.items()}
                headers.pop("authorization", None)
                f.write(json.dumps({"method": self.command, "path": self.path, "status": status,
                                    "headers": headers, "body": body}) + "\n")

    def budget(self, is_gitlab, resource):
        b = self.world.budget
        if is_gitlab:
            return [(f"RateLimit-{k.title()}", str(v)) for k, v in b.items()]
        return [(f"X-RateLimit-{k.title()}", str(v)) for k, v in b.items()] + [
            ("X-RateLimit-Resource", resource)]

    def do_GET(self):
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.loads(raw) if raw else None
        if self.path.startswith("/_/"):
            return self.control(self.path[3:], body)
        if self.world.next and self.scripted(self.world.next.pop(0), body):
            return None
        url = urlsplit(self.path)
        is_gitlab = url.path.startswith("/api/")
        resource = "graphql" if url.path.endswith("/graphql") else "core"
        try:
            status, answer = self.serve(url, is_gitlab, body)
        except Refused as refused:
            status, answer = refused.status, refused.body
        data = json.dumps(answer).encode()
        etag = 'W/"' + hashlib.sha256(data).hexdigest()[:16] + '"'
        reads = self.command == "GET" and status == 200
        if reads and self.headers.get("if-none-match") == etag:
            status = 304
        else:
            self.world.budget["remaining"] -= 1
        self.record(status, body)
        headers = self.budget(is_gitlab, resource) + ([("etag", etag)] if reads else [])
        return self.reply(status, answer, headers)

    do_POST = do_PATCH = do_PUT = do_GET

    def serve(self, url, is_gitlab, body):
        if self.headers.get("authorization") != f"Bearer {self.world.token}":
            raise Refused(401, {"message": "401 Unauthorized" if is_gitlab else "Bad credentials"})
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        if url.path.endswith("/graphql"):
            checked(body["query"], body["variables"])
            answer = gitlab_graphql if is_gitlab else github_graphql
            return 200, answer(self.world, body["query"], body["variables"])
        if is_gitlab:
            return gitlab(self.world, self.command, url.path[len("/api/v4"):], query, body)
        return github(self.world, self.command, url.path, query, body)

    def scripted(self, step, body):
        """Answers as the test said; false when the request is to be served after all."""
        if "pull" in step:
            self.world.pull(**step["pull"])
        if "pull" in step or not step:
            return False
        self.close_connection = True
        self.record(step.get("status", 200), body)
        if step.get("hang") or step.get("stall"):
            if step.get("stall"):
                self.send_response(200)
                self.send_header("content-length", "1000")
                self.end_headers()
                self.wfile.write(b'{"half')
                self.wfile.flush()
            self.world.ended.wait()
        elif "text" in step:
            self.reply(step.get("status", 200), None, raw=step["text"].encode())
        elif "bytes" in step:
            self.flood(step["bytes"], step.get("chunked"))
        elif step.get("echo"):
            said = f"No such token: {self.headers['authorization']}\n\x1b[31m" + "x" * 2000
            self.reply(401, {"message": said})
        else:
            self.reply(step["status"], step.get("body"), step.get("headers", {}).items())
        return True

    def flood(self, count, chunked):
        self.send_response(200)
        if chunked:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(count))
        self.end_headers()
        piece = b" " * 65536
        try:
            for _ in range(count // len(piece)):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            self.wfile.write(b"0\r\n\r\n" if chunked else b"")
        except (BrokenPipeError, ConnectionResetError):
            pass

    def control(self, what, body):
        world = self.world
        if what == "repository":
            world.repositories[body["name"]] = {"pulls": [], **body}
        elif what == "pull":
            world.pull(body.pop("repository"), **body)
        elif what == "budget":
            world.budget.update(body)
        elif what == "next":
            world.next.extend(body)
        self.reply(200, {"budget": world.budget})


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up, as one without trust in our certificate does, is no news."""


def main():
    ap = argparse.ArgumentParser(description="GitHub and GitLab on loopback")
    ap.add_argument("--token", required=True, help="the only token that is let in")
    ap.add_argument("--port-file", help="write the port here once it listens")
    ap.add_argument("--log", help="append each request here, one JSON per line")
    ap.add_argument("--tls", help="serve https with this certificate and key")
    args = ap.parse_args()
    Handler.world = World(args.token, args.log)
    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if args.tls:
        scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    Handler.world.url = f"{scheme}://127.0.0.1:{server.server_port}"
    if args.port_file:
        with open(args.port_file, "w") as f:
            f.write(str(server.server_port))
    server.serve_forever()


if __name__ == "__main__":
    main()
