"""What every request passes: a limit for its body, safe headers for its answer, one line in the log."""

import asyncio
import logging
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

MAX_BODY = 131_072  # bytes: 10,000 characters fit however they are encoded, percent-encoded emoji included
MAX_ARTICLE = 3_700_000  # bytes: an article of 500,000 characters, and a file of 1 MB to take its place
ARTICLES = "/knowledge/"
"""Below it only the team may send anything, and is asked who it is before the body is read."""
BODY_TIMEOUT = 15.0  # seconds between two pieces of a body

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
HSTS = "max-age=31536000"


def add_headers(headers: MutableHeaders, scope: Scope) -> None:
    """Safe headers, where the answer has not set its own."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    audience = getattr(scope.get("route"), "audience", None)
    if audience == "ticket":
        headers["Referrer-Policy"] = "no-referrer"  # its address is its key
    if audience not in (None, "public"):
        headers.setdefault("X-Robots-Tag", "noindex, nofollow")
    if scope["state"]["settings"].is_https:
        headers.setdefault("Strict-Transport-Security", HSTS)


class LimitedBody:
    """Reads a request and gives up on one that is too large or too slow."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        self.declared = int(declared) if declared.isdigit() else 0
        self.receive = receive
        self.limit = MAX_ARTICLE if scope["path"].startswith(ARTICLES) else MAX_BODY
        self.size = 0
        self.is_complete = False

    async def __call__(self) -> Message:
        if self.is_complete:
            return await self.receive()
        if self.declared > self.limit:
            raise HTTPException(413, headers={"Connection": "close"})
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                message = await self.receive()
        except TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None
        self.size += len(message.get("body", b""))
        if self.size > self.limit:
            raise HTTPException(413, headers={"Connection": "close"})
        self.is_complete = not message.get("more_body", False)
        return message


class Edge:
    """The only middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        scope["request_id"] = secrets.token_hex(8)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                add_headers(MutableHeaders(scope=message), scope)
            await send(message)

        try:
            await self.app(scope, LimitedBody(scope, receive), send_with_headers)
        finally:
            log_request(scope, status, time.perf_counter() - started)


def log_request(scope: Scope, status: int, seconds: float) -> None:
    """The template of the path, never the path: a ticket's address is its key."""
    log.info(
        "request",
        extra={
            "request_id": scope["request_id"],
            "method": scope["method"],
            "route": getattr(scope.get("route"), "path", None),
            "status": status,
            "ms": round(seconds * 1000, 1),
        },
    )
