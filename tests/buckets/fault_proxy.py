"""An HTTP proxy on loopback that breaks a share of the requests, by a seed, as networks and buckets do."""

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

FAULTS = ("slow down", "reset", "lost", "cut", "torn", "late")
"""503 SlowDown; reset before anything happens; done, but the answer is lost; the body ends too early, or is
reset in its middle; the answer takes its time."""

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>"
FORBIDDEN = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"

SECRET = "TheSecretOfTheTests"


class FaultProxy:
    """Passes requests on to an S3 server at ``upstream`` (``host, port``), breaking some.

    Those of Google Cloud Storage's XML interface, too, which differs in its create-only header and in
    writing ``/`` and ``-`` as ``%2F`` and ``%2D``.

    Attributes
    ----------
    rate, faults, late_s
        The share of requests that break, how, and how late the late ones are; may change at any time.
    counts
        Requests by method, and faults by name.
    seen
        Method and path of every request.
    """

    def __init__(self, upstream, *, seed=0):
        self.upstream = upstream
        self.rate, self.faults, self.late_s = 0.0, FAULTS, 0.3
        self.counts = Counter()
        self.seen = []
        self._left = None
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail_after(self, requests):
        """Answer so many requests more, then none; ``None`` ends the outage."""
        self._left = requests

    def draw(self, method, path):
        """Return the fault of the next request, or ``None``."""
        with self._lock:
            self.counts[method] += 1
            self.seen.append((method, path))
            if self._left is not None:
                self._left -= 1
                return None if self._left >= 0 else "slow down"
            fault = self._random.choice(self.faults) if self._random.random() < self.rate else None
            if fault:
                self.counts[fault] += 1
            return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that hung up is none of ours."""


def _handler(proxy):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # head and body in one packet

        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = proxy.draw(self.command, self.path)
            if fault == "reset":
                return self._reset()
            if fault == "forbidden":
                return self._answer(403, [("Content-Type", "application/xml")], FORBIDDEN)
            if fault == "slow down":
                return self._answer(503, [("Content-Type", "application/xml")], SLOW_DOWN)
            status, headers, data = self._pass_on(body)
            if fault == "lost":
                return self._reset()
            if fault == "late":
                time.sleep(proxy.late_s)
            if fault in ("cut", "torn") and data:
                self._answer(status, headers, data, sent=len(data) // 2)
                return self._reset() if fault == "torn" else None
            return self._answer(status, headers, data)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any

        def _pass_on(self, body):
            headers = {**dict(self.headers), "Connection": "close"}
            path, question, query = self.path.partition("?")
            if headers.get("x-goog-if-generation-match") == "0":
                headers["If-None-Match"] = "*"
            upstream = http.client.HTTPConnection(*proxy.upstream, timeout=30)
            upstream.request(self.command, quote(unquote(path)) + question + query, body, headers)
            answer = upstream.getresponse()
            data = answer.read()
            upstream.close()
            return answer.status, answer.getheaders(), data

        def _answer(self, status, headers, data, sent=None):
            self.send_response_only(status)
            own = ("connection", "transfer-encoding", "content-length")
            for name, value in headers:
                if name.lower() not in own:
                    self.send_header(name, value)
            length = {name.lower(): value for name, value in headers}.get("content-length", len(data))
            self.send_header("Content-Length", length if self.command == "HEAD" else len(data))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data if sent is None else data[:sent])
            self.wfile.flush()
            if sent is not None:
                self.close_connection = True

        def _reset(self):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def log_message(self, *_):
            pass

    return Handler
