"""A Hub on loopback: enough of its interface for the real clients to stream a data set, and faults on demand.

The clients read HF_ENDPOINT when they are imported, so whoever uses this server runs in a process of its own.
"""

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

Fault = Callable[[str, tuple[int, int] | None], str | None]
"""Given the file and the range asked for, what goes wrong, or nothing.

A status such as "500"; "stall", "cut" or "short"; "no range", all of the file; "page", a page of HTML of that length;
"another range", the bytes of another place; "flipped", another bit; "loop", a redirect to itself.
"""


class LoopbackHub:
    """Serves the files of a folder as the data set `owner/name`, at `url`, until it is closed."""

    def __init__(
        self, folder: Path, repo: str = "owner/name", fault: Fault = lambda *_: None, commit: str = "5" * 40
    ) -> None:
        self.folder = folder
        self.repo = repo
        self.fault = fault
        self.commit = commit
        self.requests: Counter[str] = Counter()
        self.released = threading.Event()
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "LoopbackHub":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def entries(self, folder: str = "", recursive: bool = True) -> list[dict[str, Any]]:
        """What is in a folder, as the Hub's tree lists it."""
        found = (self.folder / folder).rglob("*") if recursive else (self.folder / folder).glob("*")
        return [self.entry(path) for path in sorted(found)]

    def entry(self, path: Path) -> dict[str, Any]:
        """One file or folder as the Hub's tree lists it."""
        stat = path.stat()
        if path.is_dir():
            return {"type": "directory", "path": str(path.relative_to(self.folder)), "oid": "0" * 40}
        oid = hashlib.sha1(f"{path.name} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()
        return {"type": "file", "path": str(path.relative_to(self.folder)), "size": stat.st_size, "oid": oid}


class _Handler(BaseHTTPRequestHandler):
    server_hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def _answer(self) -> None:
        hub = self.server_hub
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = unquote(self.path).partition("?")
        if match := re.fullmatch(rf"/datasets/{hub.repo}/resolve/[^/]+/(.+)", path):
            self._file(match[1])
        elif re.match(rf"/api/datasets/{hub.repo}/paths-info/", path):
            hub.requests["paths-info"] += 1
            wanted = set(json.loads(body)["paths"])
            self._json([entry for entry in hub.entries() if entry["path"] in wanted])
        elif match := re.fullmatch(rf"/api/datasets/{hub.repo}/tree/[^/]+/?(.*)", path):
            hub.requests["tree"] += 1
            self._json(hub.entries(match[1], "recursive=true" in query.lower()))
        elif re.fullmatch(rf"/api/datasets/{hub.repo}(/revision/[^/]+)?", path):
            hub.requests["info"] += 1
            siblings = [{"rfilename": entry["path"]} for entry in hub.entries()]
            self._json({"id": hub.repo, "sha": hub.commit, "private": False, "tags": [], "siblings": siblings})
        else:
            self._json({"error": f"no {path}"}, 404, {"X-Error-Code": "EntryNotFound"})

    def _file(self, name: str) -> None:
        hub = self.server_hub
        path = hub.folder / name
        if not path.is_file():
            hub.requests["absent"] += 1
            self._json({"error": f"no {name}"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        hub.requests[f"{self.command} file"] += 1
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        span = (int(asked[1]), min(int(asked[2] or size - 1), size - 1)) if asked else None
        fault = hub.fault(name, span) if self.command == "GET" else None
        if fault is not None and fault.isdecimal():
            self._json({"error": "not now"}, int(fault))
            return
        if fault == "loop":
            self._json({}, 302, {"Location": self.path})
            return
        if fault == "no range":
            span = None
        start, end = span or (0, size - 1)
        if fault == "another range":
            start, end = (start + 64, end + 64) if end + 64 < size else (start - 64, end - 64)
        self.send_response(206 if span else 200)
        length = end - start + 1
        if fault == "short":  # a proxy that lost the end and says so nowhere
            length //= 2
        headers = {
            "Content-Length": length,
            "ETag": f'"{hub.entry(path)["oid"]}"',
            "X-Repo-Commit": hub.commit,
            "Accept-Ranges": "bytes",
        }
        if span:
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        for key, value in headers.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command == "HEAD":
            return
        with path.open("rb") as file:
            file.seek(start)
            content = file.read(length)
        if fault == "page":
            content = (b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>" * length)[:length]
        if fault == "flipped":
            content = content[: length // 2] + bytes([content[length // 2] ^ 1]) + content[length // 2 + 1 :]
        if fault == "stall":
            self.wfile.write(content[: length // 2])
            hub.released.wait(600)
            self.close_connection = True
        elif fault == "cut":
            self.wfile.write(content[: length // 2])
            self.close_connection = True
        else:
            self.wfile.write(content)

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        for key, text in {
            "Content-Type": "application/json",
            "X-Repo-Commit": self.server_hub.commit,
            **(headers or {}),
        }.items():
            self.send_header(key, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
