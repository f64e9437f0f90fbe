"""The remote half of a node, as far as engines speak to it, over the small ledger: for what a real node hardly does."""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ledger import Denied, Ledger

from footlight.metering.clock import Report

SOON = "2099-01-01T00:00:00.000Z"


@dataclass
class FakeNode:
    """One account with the secret `fl_live_fake`."""

    ledger: Ledger
    heartbeat_ms: int = 1000
    grace_ms: int = 5000
    units_per_minute: int = 1500
    secret: str = "fl_live_fake"
    tokens: set[str] = field(default_factory=set)
    """Tokens that are valid; take one out, and it has expired."""
    sessions: dict[str, str] = field(default_factory=dict)
    """By idempotency key."""
    exchanges: int = 0

    def __enter__(self) -> FakeNode:
        node, self._lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with node._lock:
                    status, answer = node.answer(self.path, dict(self.headers.items()), body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path == "/v1/runtime-tokens":
            self.exchanges += 1
            if headers.get("api-secret") != self.secret:
                return _problem(401, "api_secret_invalid")
            return 201, {**self._token(), "surface": body["surface"]}
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _problem(401, "token_invalid")
        if path == "/v1/sessions":
            key = headers["idempotency-key"]
            session = self.sessions.setdefault(key, f"ses_{uuid.uuid4().hex}")
            return 201, self._begun(session, body)
        session = path.split("/")[3]
        if session not in self.sessions.values():
            return _problem(404, "unknown_session")
        report = Report(body["epoch"], body["request_number"], body["units"], body["ask"], body["end"])
        try:
            verdict = self.ledger.report(session, report)
        except Denied as denied:
            return _problem(409, str(denied), last=self.ledger.tabs[session].number)
        told = {
            "request_number": report.number,
            "verdict": verdict.verdict,
            "slice_end": verdict.slice_end,
            "settled_units": verdict.settled_units,
            "grace_units": verdict.grace_units,
            "final": verdict.verdict == "final",
            "pause_reasons": list(verdict.pause_reasons),
            "end_reason": verdict.end_reason,
            "late": False,
            "credits_used": verdict.settled_units / self.units_per_minute,
            "others_wait": verdict.others_wait,
            "heartbeat_ms": self.heartbeat_ms,
            "retry_ms": int((verdict.retry_s or 0) * 1000),
            "token": self._token(),
        }
        return 200, told

    def _token(self) -> dict[str, Any]:
        token = f"flt1.{uuid.uuid4().hex}"
        self.tokens.add(token)
        return {"token": token, "expires_at": SOON}

    def _begun(self, session: str, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": session,
            "state": "idle",
            "product": body["product"],
            "rate_credits_per_minute": 1,
            "created_at": "2026-11-25T17:30:27.920Z",
            "fps": body.get("fps"),
            "engine": {
                "epoch": 1,
                "heartbeat_ms": self.heartbeat_ms,
                "grace_ms": self.grace_ms,
                "counting": "connected" if self.units_per_minute == 60_000 else "frames",
                "token": self._token(),
            },
        }


def _problem(status: int, code: str, **members: Any) -> tuple[int, dict[str, Any]]:
    return status, {**members, "type": f"/docs#{code}", "title": code, "status": status, "code": code, "detail": code}
