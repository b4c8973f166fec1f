"""The vendor the tests send to: a real HTTP server that counts what it accepts and misbehaves as it is told.

In a test: `async with running_vendor(seed=1) as vendor`, then vendor.url, vendor.journal, vendor.knobs, vendor.gate.
As a process of its own: `python -m tests.stand_ins.vendor --port N --seed S`; then GET /journal?since=N, and GET or
PATCH /knobs. What it knows it keeps in memory only.
"""

import argparse
import asyncio
import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, fields
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.stand_ins.http import Answer
from tests.stand_ins.journal import Gate, Journal, Knobs
from tests.stand_ins.webhooks import INBOUND_PATH, StatusReports, draw_sid, make_inbound, post_webhook
from tests.stand_ins.wires import Desk, make_routes


class Vendor:
    """One vendor: its server's address, what it accepted, and what makes it misbehave."""

    def __init__(self, *, seed: int = 1, knobs: Knobs | None = None) -> None:
        self.knobs = knobs or Knobs()
        self.journal = Journal()
        self.rng = random.Random(seed)
        self.reports = StatusReports(self.knobs, self.journal, self.rng)
        self.desk = Desk(self.knobs, self.journal, self.rng, self.reports)
        self.url = ""

    @property
    def gate(self) -> Gate:
        """Holds sends before they are taken or before they are answered."""
        return self.desk.gate

    async def write(self, public_url: str, sender: str, body: str, *, sid: str | None = None) -> Answer:
        """A customer's WhatsApp message, posted once to PUBLIC_BASE_URL as a signed webhook."""
        form = make_inbound(sender=sender, body=body, sid=sid or draw_sid("SM", self.rng))
        targets = self.knobs.webhook_targets
        return await post_webhook(public_url + INBOUND_PATH, form, target=targets[0] if targets else None)

    def make_app(self) -> ASGIApp:
        """The whole server as an ASGI application."""
        own = [
            Route("/journal", self.show_journal),
            Route("/knobs", self.show_knobs),
            Route("/knobs", self.turn_knobs, methods=["PATCH"]),
        ]
        return with_transport(Starlette(routes=[*make_routes(self.desk), *own]))

    async def show_journal(self, request: Request) -> Response:
        """GET /journal?since=N: what was accepted from number N on, and the counts."""
        since = int(request.query_params.get("since", 0))
        return JSONResponse(
            {
                "accepted": [one.as_row() for one in self.journal.accepted[since:]],
                "asked": dict(self.journal.asked),
                "callbacks": dict(self.journal.callbacks),
                "looked_up": self.journal.looked_up,
            }
        )

    async def show_knobs(self, _: Request) -> Response:
        return JSONResponse(asdict(self.knobs))

    async def turn_knobs(self, request: Request) -> Response:
        """PATCH /knobs: those named are set, the others stay."""
        turn(self.knobs, await request.json())
        return JSONResponse(asdict(self.knobs))


def with_transport(app: ASGIApp) -> ASGIApp:
    """The application with scope["transport"], the only way to the socket, for answers that never come."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["transport"] = send.__self__.transport  # type: ignore[attr-defined]
        with contextlib.suppress(ClientDisconnect):  # a client that is killed in the middle of a request
            await app(scope, receive, send)

    return serve


def turn(knobs: Knobs, values: dict[str, Any]) -> None:
    """Set knobs by name. Raises ValueError for one there is not."""
    if unknown := values.keys() - {knob.name for knob in fields(Knobs)}:
        raise ValueError(f"no such knob: {', '.join(sorted(unknown))}")
    for name, value in values.items():
        setattr(knobs, name, value)


class Server(uvicorn.Server):
    """Uvicorn that leaves the signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(app: ASGIApp) -> Server:
    config = uvicorn.Config(
        app, http="h11", lifespan="off", ws="none", access_log=False, log_config=None, timeout_graceful_shutdown=1
    )
    return Server(config)


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The application on a free port of this machine, for the length of the block. Yields its origin."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every answer waits 40 ms for its body
        server = make_server(app)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@contextlib.asynccontextmanager
async def running_vendor(*, seed: int = 1, knobs: Knobs | None = None) -> AsyncIterator[Vendor]:
    """A vendor on a free port of this machine, for the length of the block."""
    vendor = Vendor(seed=seed, knobs=knobs)
    async with serving(vendor.make_app()) as vendor.url:
        try:
            yield vendor
        finally:
            vendor.gate.open(forget=True)
            await vendor.reports.stop()


def main() -> None:
    """Serve on a port until killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.stand_ins.vendor")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--knobs", type=json.loads, default={}, help="knobs by name, as a JSON object")
    args = parser.parse_args()
    vendor = Vendor(seed=args.seed)
    turn(vendor.knobs, args.knobs)
    with socket.create_server(("127.0.0.1", args.port), backlog=2048) as listener:
        asyncio.run(make_server(vendor.make_app()).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
