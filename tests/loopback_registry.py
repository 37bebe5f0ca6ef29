"""A Hub on loopback with accounts, commits and branches: what the real clients need to publish a model and load it.

Where `loopback_hub` spoils the reading of one data set on demand, this one keeps repositories of both kinds: they are
created, private or not, written by ndjson commits with large files through Git LFS, and read at any revision. Errors
carry the headers by which the real Hub's clients tell them apart.
"""

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from huggingface_hub import RepoCard

LARGE = (".safetensors", ".bin", ".pt", ".pth", ".parquet", ".spm")
"""Endings that the Hub keeps in LFS by default."""

Fault = Callable[[str, str], int | None]
"""Given the method and the path, a status to answer with, or nothing. Status 0 cuts the connection."""

Files = dict[str, bytes]


@dataclass
class Repository:
    """Its branches, and all commits by their ids."""

    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Files] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, branch: str, files: Files, message: str) -> str:
        """Put `files` in place of what the branch holds."""
        parts = [self.branches.get(branch, ""), message, *(f"{name} {digest(files[name])}" for name in sorted(files))]
        sha = hashlib.sha1("\n".join(parts).encode()).hexdigest()
        self.commits[sha], self.branches[branch] = files, sha
        self.messages.append(message)
        return sha

    def resolve(self, revision: str) -> str | None:
        """Return the id of the commit that a branch, or an id, names."""
        return self.branches.get(revision) or (revision if revision in self.commits else None)


def digest(content: bytes) -> str:
    """Return the SHA-256, by which large files are known."""
    return hashlib.sha256(content).hexdigest()


def files_of(folder: Path) -> Files:
    """Return all files beneath a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Registry:
    """Keeps repositories at `url` until it is closed.

    Args:
        tokens: the account of each token; one that begins with `hf_read` may not write.

    """

    def __init__(self, tokens: dict[str, str] | None = None) -> None:
        self.tokens = tokens or {}
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.large: dict[str, bytes] = {}
        self.requests: Counter[str] = Counter()
        self.fault: Fault = lambda *_: None
        self.lock = threading.RLock()

        class Handler(_Handler):
            registry = self

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> "Registry":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def model(self, name: str) -> Repository:
        """Return a repository of a model."""
        return self.repositories["model", name]

    def add_dataset(self, name: str, folder: Path) -> None:
        """Keep the files of a folder as a public data set."""
        self.repositories["dataset", name] = Repository()
        self.repositories["dataset", name].commit("main", files_of(folder), "as it is")

    def add_model(self, name: str, folder: Path, private: bool = False) -> str:
        """Keep the files of a folder as a model, and return the commit."""
        repository = self.repositories.setdefault(("model", name), Repository(private))
        return repository.commit("main", files_of(folder), "as it is")


class _RefusalError(Exception):
    def __init__(self, status: int, message: str, code: str | None = None, body: dict[str, Any] | None = None) -> None:
        self.status, self.message, self.code, self.body = status, message, code, body or {"error": message}


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            self.body = b""
            while size := int(self.rfile.readline(), 16):
                self.body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.route, _, self.query = unquote(self.path).partition("?")
        with self.registry.lock:
            if (status := self.registry.fault(self.command, self.route)) is not None:
                if not status:
                    self.close_connection = True
                    self.connection.close()
                    return
                waits = {"Retry-After": "0"} if status == 429 else {}
                self._send(status, {"error": "made to fail"}, waits)
                return
            try:
                self._serve()
            except _RefusalError as refusal:
                headers = {"X-Error-Message": refusal.message}
                if refusal.code:
                    headers["X-Error-Code"] = refusal.code
                self._send(refusal.status, refusal.body, headers)

    def _user(self) -> str | None:
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if given and given not in self.registry.tokens:
            raise _RefusalError(401, "Invalid credentials in Authorization header")
        return self.registry.tokens.get(given)

    def _may_write(self, owner: str) -> None:
        user = self._user()
        if user is None:
            raise _RefusalError(401, "Invalid username or password.")
        if (self.headers.get("Authorization") or "").startswith("Bearer hf_read"):
            raise _RefusalError(403, "You must use a write token to upload to a repository.")
        if user != owner:
            raise _RefusalError(403, f'You don\'t have the rights to create a model under the namespace "{owner}"')

    def _serve(self) -> None:
        kind = r"(model|dataset)s"
        name = r"([\w.-]+/[\w.-]+)"
        routes: list[tuple[str, str, Callable[..., None]]] = [
            ("GET", r"/api/whoami-v2", self._whoami),
            ("POST", r"/api/validate-yaml", self._validate),
            ("POST", r"/api/repos/create", self._create),
            ("POST", rf"/api/{kind}/{name}/branch/(.+)", self._branch),
            ("GET", rf"/api/{kind}/{name}/tree/([^/]+)/?(.*)", self._tree),
            ("POST", rf"/api/{kind}/{name}/paths-info/([^/]+)", self._paths),
            ("POST", rf"/api/{kind}/{name}/preupload/([^/]+)", self._preupload),
            ("POST", rf"/api/{kind}/{name}/commit/([^/]+)", self._commit),
            ("GET", rf"/api/{kind}/{name}(?:/revision/([^/]+))?", self._info),
            ("POST", rf"/{name}\.git/info/lfs/objects/batch", self._lfs_batch),
            ("PUT", r"/lfs/(\w+)", self._lfs_put),
            ("GET HEAD", r"/lfs/(\w+)", self._lfs_get),
            ("GET HEAD", rf"/(datasets/)?{name}/resolve/([^/]+)/(.+)", self._file),
        ]
        for methods, pattern, serve in routes:
            if self.command in methods.split() and (match := re.fullmatch(pattern, self.route)):
                self.registry.requests[serve.__name__.strip("_")] += 1
                serve(*match.groups())
                return
        raise _RefusalError(404, f"no {self.command} {self.route}", "EntryNotFound")

    def _find(self, kind: str, name: str, write: bool = False) -> Repository:
        user = self._user()
        repository = self.registry.repositories.get((kind, name))
        hidden = repository is None or (repository.private and user != name.split("/")[0])
        if hidden and user is None:
            raise _RefusalError(401, "Invalid username or password.", "RepoNotFound")
        if hidden or repository is None:
            raise _RefusalError(404, "Repository not found", "RepoNotFound")
        if write:
            self._may_write(name.split("/")[0])
        return repository

    def _files(self, kind: str, name: str, revision: str) -> tuple[str, Files]:
        repository = self._find(kind, name)
        sha = repository.resolve(revision)
        if sha is None:
            raise _RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha, repository.commits[sha]

    # --- accounts and repositories ---

    def _whoami(self) -> None:
        user = self._user()
        if user is None:
            raise _RefusalError(401, "Invalid username or password.")
        role = "read" if (self.headers.get("Authorization") or "").startswith("Bearer hf_read") else "write"
        token = {"accessToken": {"role": role, "displayName": "test"}}
        self._send(200, {"type": "user", "name": user, "fullname": user, "orgs": [], "auth": token})

    def _validate(self) -> None:
        if errors := faults_of_card(json.loads(self.body)["content"]):
            body = {"errors": [{"message": each} for each in errors], "warnings": []}
            raise _RefusalError(400, "Invalid metadata", body=body)
        self._send(200, {"errors": [], "warnings": []})

    def _create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked.get('organization') or self._user()}/{asked['name']}"
        self._may_write(name.split("/")[0])
        key = (asked.get("type") or "model", name)
        if key in self.registry.repositories:
            raise _RefusalError(
                409, "You already created this repo", body={"error": "exists", "url": f"{self.registry.url}/{name}"}
            )
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.registry.repositories[key] = Repository(private)
        self.registry.repositories[key].commit(
            "main", {".gitattributes": b"*.safetensors filter=lfs\n"}, "initial commit"
        )
        self._send(200, {"url": f"{self.registry.url}/{name}", "name": name, "id": "1"})

    def _branch(self, kind: str, name: str, branch: str) -> None:
        repository = self._find(kind, name, write=True)
        if branch in repository.branches:
            raise _RefusalError(409, f"Reference {branch} already exists")
        start = repository.resolve(json.loads(self.body or b"{}").get("startingPoint") or "main")
        if start is None:
            raise _RefusalError(404, "no such starting point", "RevisionNotFound")
        repository.branches[branch] = start
        self._send(200, {})

    def _info(self, kind: str, name: str, revision: str | None) -> None:
        sha, files = self._files(kind, name, revision or "main")
        content: dict[str, Any] = {
            "id": name,
            "modelId": name,
            "sha": sha,
            "private": self._find(kind, name).private,
            "tags": [],
            "siblings": [{"rfilename": path} for path in sorted(files)],
        }
        if b"---" in (card := files.get("README.md", b"")):
            content["cardData"] = RepoCard(card.decode()).data.to_dict()
        if "config.json" in files:
            content["config"] = json.loads(files["config.json"])
        self._send(200, content)

    # --- reading ---

    def _entry(self, path: str, content: bytes) -> dict[str, Any]:
        entry = {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
        if path.endswith(LARGE):
            entry["lfs"] = {"oid": digest(content), "size": len(content), "pointerSize": 130}
        return entry

    def _tree(self, kind: str, name: str, revision: str, folder: str) -> None:
        _, files = self._files(kind, name, revision)
        inside = {path: content for path, content in files.items() if not folder or path.startswith(folder + "/")}
        folders = {str(parent) for path in inside for parent in Path(path).parents if str(parent) not in (".", folder)}
        entries: list[dict[str, Any]] = [
            {"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in sorted(folders)
        ]
        entries += [self._entry(path, content) for path, content in sorted(inside.items())]
        if "recursive=true" not in self.query.lower():
            depth = folder.count("/") + 1 if folder else 0
            entries = [entry for entry in entries if entry["path"].count("/") == depth]
        if folder and not inside:
            raise _RefusalError(404, f"{folder} does not exist", "EntryNotFound")
        self._send(200, entries)

    def _paths(self, kind: str, name: str, revision: str) -> None:
        _, files = self._files(kind, name, revision)
        wanted = json.loads(self.body)["paths"]
        self._send(200, [self._entry(path, files[path]) for path in wanted if path in files])

    def _file(self, dataset: str | None, name: str, revision: str, path: str) -> None:
        sha, files = self._files("dataset" if dataset else "model", name, revision)
        if path not in files:
            self._send(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
            return
        content = files[path]
        headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes", "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        if path.endswith(LARGE) and not dataset:  # elsewhere, as on the Hub; the account is not asked for there
            self.registry.large[digest(content)] = content
            linked = {"X-Linked-Etag": f'"{digest(content)}"', "X-Linked-Size": str(len(content))}
            elsewhere = self.registry.url.replace("127.0.0.1", "localhost")  # another host's headers are not the Hub's
            self._send(302, b"", headers | linked | {"Location": f"{elsewhere}/lfs/{digest(content)}"})
            return
        self._content(content, headers)

    def _content(self, content: bytes, headers: dict[str, str]) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not asked:
            self._send(200, content, headers)
            return
        start, end = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
        self._send(206, content[start : end + 1], headers | {"Content-Range": f"bytes {start}-{end}/{len(content)}"})

    # --- writing ---

    def _preupload(self, kind: str, name: str, revision: str) -> None:
        repository = self._find(kind, name, write=True)
        if repository.resolve(revision) is None:
            raise _RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        asked = json.loads(self.body)["files"]
        modes = {file["path"]: "lfs" if file["path"].endswith(LARGE) else "regular" for file in asked}
        self._send(200, {"files": [{"path": p, "uploadMode": m, "shouldIgnore": False} for p, m in modes.items()]})

    def _lfs_batch(self, name: str) -> None:
        self._find("model", name, write=True)
        objects = []
        for each in json.loads(self.body)["objects"]:
            entry: dict[str, Any] = {"oid": each["oid"], "size": each["size"], "authenticated": True}
            if each["oid"] not in self.registry.large:
                entry["actions"] = {"upload": {"href": f"{self.registry.url}/lfs/{each['oid']}", "header": {}}}
            objects.append(entry)
        self._send(200, {"transfer": "basic", "objects": objects})

    def _lfs_put(self, oid: str) -> None:
        if digest(self.body) != oid:
            raise _RefusalError(400, "the content is not what was announced")
        self.registry.large[oid] = self.body
        self._send(200, b"")

    def _lfs_get(self, oid: str) -> None:
        self._content(self.registry.large[oid], {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"})

    def _commit(self, kind: str, name: str, branch: str) -> None:
        repository = self._find(kind, name, write=True)
        if branch not in repository.branches:
            raise _RefusalError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        lines = [json.loads(line) for line in self.body.splitlines()]
        assert lines[0]["key"] == "header"
        files = dict(repository.commits[repository.branches[branch]])
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.registry.large:
                    raise _RefusalError(400, f"{value['path']} was never uploaded")
                files[value["path"]] = self.registry.large[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            else:
                raise _RefusalError(400, f"unknown operation {line['key']}")
        sha = repository.commit(branch, files, lines[0]["value"]["summary"])
        self._send(200, {"commitUrl": f"{self.registry.url}/{name}/commit/{sha}", "commitOid": sha, "success": True})

    def _send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        for key, text in {"Content-Type": kind, **(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def faults_of_card(content: str) -> list[str]:
    """Return what the Hub would not take in the metadata of a model card."""
    data = RepoCard(content, ignore_metadata_errors=False).data.to_dict()
    errors = [
        f'"{key}" must be a list' for key in ("tags", "datasets", "metrics") if not isinstance(data.get(key, []), list)
    ]
    for each in data.get("model-index", []):
        if not isinstance(each.get("name"), str):
            errors.append('"model-index[].name" is required')
        for place, result in enumerate(each.get("results") or [{}]):
            where = f"model-index[0].results[{place}]"
            if not result.get("task", {}).get("type"):
                errors.append(f'"{where}.task.type" is required')
            errors += [
                f'"{where}.dataset.{k}" is required' for k in ("type", "name") if not result.get("dataset", {}).get(k)
            ]
            metrics = result.get("metrics") or [{}]
            errors += [
                f'"{where}.metrics[].{k}" is required' for m in metrics for k in ("type", "value") if m.get(k) is None
            ]
    return errors
