"""Stands between a client and a node, and does to requests what networks do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx

Fault = Literal["none", "drop", "lose", "delay", "duplicate", "not_found"]
"""Drop: it never arrives. Lose: it is done, and the answer is lost. Duplicate: it is done twice, one answer is lost.
Not found: it never arrives, and a proxy that knows no such page answers."""


@dataclass
class FaultProxy:
    """Forwards to `url`; `fault` says for each request what becomes of it."""

    url: str
    fault: Callable[[str, str], Fault] = field(default=lambda _method, _path: "none")
    delay_s: float = 0.3
    requests: list[str] = field(default_factory=list)
    """Everything that arrived, in order."""

    def __enter__(self) -> FaultProxy:
        proxy = self
        self._node = httpx.Client(timeout=60)

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                # Clients that hang up are the point of it.
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def do_GET(self) -> None:
                proxy.forward(self)

            do_POST = do_DELETE = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._node.close()

    def forward(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        self.requests.append(f"{handler.command} {handler.path}")
        fault = self.fault(handler.command, handler.path)
        handler.close_connection = True
        if fault == "drop":
            return
        if fault == "not_found":
            handler.send_error(404)
            return
        if fault == "delay":
            time.sleep(self.delay_s)
        headers = {key: value for key, value in handler.headers.items() if key.lower() not in ("host", "connection")}
        request = self._node.build_request(handler.command, self.url + handler.path, headers=headers, content=body)
        try:
            answer = self._node.send(request)
            if fault == "duplicate":
                answer = self._node.send(request)
        except httpx.TransportError:
            return
        if fault == "lose":
            return
        handler.send_response(answer.status_code)
        for key in ("content-type", "retry-after"):
            if key in answer.headers:
                handler.send_header(key, answer.headers[key])
        handler.send_header("content-length", str(len(answer.content)))
        handler.end_headers()
        handler.wfile.write(answer.content)
