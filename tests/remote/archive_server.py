"""EMPIAR's layout, interface and index pages on loopback, with the faults that networks have."""

import hashlib
import html
import json
import random
import re
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

ENTRY = "10999"
SET = {
    "name": "Averages",
    "directory": "data/images",
    "category": "micrographs - single frame",
    "header_format": "MRC",
    "data_format": "MRC",
    "num_images_or_tilt_series": 6,
    "frames_per_image": 1,
    "voxel_type": "32 BIT FLOAT",
    "pixel_width": 1.77,
    "pixel_height": 1.77,
    "image_width": "4096",
    "image_height": "4096",
    "details": "",
}


def noise(seed: int, n_bytes: int) -> bytes:
    return random.Random(seed).randbytes(n_bytes)


class Archive:
    """What the server serves, how it misbehaves, and what it was asked for.

    ``faults`` holds, for a path, what happens to the next requests for it, in order; ``always`` what happens
    to all.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.entry: dict = {"title": "Noise", "imagesets": []}
        self.extra_rows: dict[str, list[str]] = {}
        self.faults: dict[str, list] = {}
        self.always: dict[str, tuple] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.without_validator: set[str] = set()
        self.listed_bytes: dict[str, int] = {}
        self.log: list[list] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.url = ""

    def add(self, path: str, data: bytes) -> None:
        self.files[path] = data

    def sent(self, path: str) -> int:
        """Bytes of a file that were sent, in all answers together."""
        with self.lock:
            return sum(sent for method, asked, _, sent in self.log if asked == path and method == "GET")

    def requests(self, path: str) -> int:
        with self.lock:
            return sum(asked == path and method == "GET" for method, asked, _, _ in self.log)

    def fault(self, path: str):
        with self.lock:
            waiting = self.faults.get(path)
            return waiting.pop(0) if waiting else self.always.get(path, ("none",))

    def index(self, folder: str) -> bytes | None:
        """An Apache index page, sizes rounded as Apache does."""
        prefix = f"{folder}/"
        names: dict[str, int | None] = {}
        for path, data in self.files.items():
            if path.startswith(prefix):
                head, slash, _ = path[len(prefix) :].partition("/")
                names[head + slash] = None if slash else self.listed_bytes.get(path, len(data))
        if not names and folder not in self.extra_rows:
            return None
        rows = [
            f'<tr><td valign="top"><img src="/icons/u.gif"></td><td><a href="{quote(name)}">'
            f'{html.escape(name[:20])}..&gt;</a></td><td align="right">2013-10-24 15:49  </td>'
            f'<td align="right">{rounded(size)}</td><td>&nbsp;</td></tr>'
            for name, size in sorted(names.items())
        ]
        rows += self.extra_rows.get(folder, [])
        return (
            f"<!DOCTYPE HTML><html><head><title>Index of /{folder}</title></head><body><h1>Index</h1><table>"
            '<tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>'
            '<tr><td><img src="/icons/back.gif"></td><td><a href="/empiar/">Parent Directory'
            f"</a></td><td>&nbsp;</td><td align='right'>  - </td></tr>\n{chr(10).join(rows)}\n</table>"
            "<address>Apache</address></body></html>"
        ).encode()


def rounded(size: int | None) -> str:
    if size is None:
        return "  - "
    for unit, scale in (("M", 2**20), ("K", 2**10)):
        if size >= scale:
            return f"{size / scale:.1f}{unit}" if size < 10 * scale else f"{round(size / scale)}{unit}"
    return str(size)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive: Archive

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        with self.archive.lock:
            self.archive.at_once += 1
            self.archive.most_at_once = max(self.archive.most_at_once, self.archive.at_once)
        try:
            self.answer()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.archive.lock:
                self.archive.at_once -= 1

    def answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        if path == f"/api/entry/{ENTRY}/":
            self.whole(json.dumps({f"EMPIAR-{ENTRY}": self.archive.entry}).encode())
        elif path == "/search":
            self.search(parse_qs(parts.query))
        elif path.startswith(f"/files/{ENTRY}/"):
            self.file_or_index(path.removeprefix(f"/files/{ENTRY}/"))
        else:
            self.status(404)

    def search(self, query: dict[str, list[str]]) -> None:
        word, start, size = query["query"][0], int(query["start"][0]), int(query["size"][0])
        hits = [{"id": f"EMPIAR-{10000 + n}", "fields": {"title": [f"{word} {n}"]}} for n in range(130)]
        self.whole(json.dumps({"hitCount": len(hits), "entries": hits[start : start + size]}).encode())

    def file_or_index(self, path: str) -> None:
        kind, *values = self.archive.fault(path.rstrip("/"))
        if kind == "status":
            return self.status(values[0], {"Retry-After": values[1]} if len(values) > 1 else {})
        if kind == "redirect":
            return self.status(302, {"Location": values[0]})
        if path.endswith("/"):
            page = self.archive.index(path.rstrip("/"))
            return self.status(404) if page is None else self.whole(page)
        if path not in self.archive.files:
            return self.status(404)
        return self.send_file(path, kind, values)

    def send_file(self, path: str, kind: str, values: list) -> None:
        data = self.archive.files[path]
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        start, asked = 0, re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        date = self.archive.headers.get(path, {}).get("Last-Modified")
        if asked and self.headers.get("If-Range") in (None, etag, date) and kind != "no-ranges":
            start = int(asked[1])
        if start >= len(data) > 0:
            return self.status(416)
        stated = len(data) + (values[0] if kind == "lies" else 0)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{stated - 1}/{stated}")
        if kind == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(stated - start))
        if path not in self.archive.without_validator:
            self.send_header("ETag", etag)
        for name, value in self.archive.headers.get(path, {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return None
        end = min(len(data), start + values[0]) if kind in ("cut", "change", "chunked") else len(data)
        with self.archive.lock:
            entry = [self.command, path, start, 0]
            self.archive.log.append(entry)
        step = values[0] if kind == "slow" else 2**16
        for position in range(start, end, step):
            piece = data[position : min(end, position + step)]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if kind == "chunked" else piece)
            entry[3] = min(end, position + step) - start
            if kind == "slow":
                time.sleep(values[1])
        if kind == "change":
            self.archive.files[path] = values[1]
        if kind == "chunked" and end == len(data):
            self.wfile.write(b"0\r\n\r\n")
        if end < len(data) or kind == "lies":
            self.cut()
        return None

    def cut(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def whole(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def status(self, code: int, headers: dict[str, str] | None = None) -> None:
        with self.archive.lock:
            self.archive.log.append([str(code), self.path, 0, 0])
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def served(archive: Archive):
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"archive": archive}))
    archive.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
