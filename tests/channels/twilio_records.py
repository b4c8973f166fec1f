"""What Twilio knows of one account, over HTTP: messages and their files, the account, the senders, the templates."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.channels.twilio import ACCOUNT, CUSTOMER, new_sid
from tests.stand_ins.vendor import serving

ROOT = f"/2010-04-01/Accounts/{ACCOUNT.sid}"
CREDENTIALS = "Basic " + base64.b64encode(f"{ACCOUNT.sid}:{ACCOUNT.auth_token}".encode()).decode()
MISSING = JSONResponse({"code": 20404, "message": "not found", "status": 404}, 404)


@dataclass
class Records:
    """One account at Twilio. What is set here is what it answers."""

    url: str = ""
    page_size: int = 1000
    messages: list[dict[str, Any]] = field(default_factory=list)
    """As listed, newest first."""
    files: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By the message's SID: SID and type of each."""
    account: dict[str, Any] = field(default_factory=lambda: {"sid": ACCOUNT.sid, "status": "active"})
    senders: list[dict[str, Any]] = field(default_factory=list)
    approvals: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By the template's SID."""
    faults: dict[str, Response | None] = field(default_factory=dict)
    """By the end of the path: what is answered instead; None: nothing, the connection stays silent."""
    asked: list[str] = field(default_factory=list)
    """Path and query of each request."""
    elsewhere: str | None = None
    """Where the list says that it goes on."""

    def write(
        self, text: str = "Hello", *, age: timedelta = timedelta(minutes=5), sender: str = CUSTOMER, **changed: Any
    ) -> str:
        """A customer's message that no webhook brought; returns its SID."""
        entry = make_entry(text, datetime.now(UTC) - age) | {"from": f"whatsapp:{sender}"} | changed
        self.messages = sorted([entry, *self.messages], key=read_created, reverse=True)
        return str(entry["sid"])

    def send(self, sid: str, status: str, *, error_code: int | None = None, age: timedelta = timedelta(0)) -> None:
        """A message of ours as it is listed now."""
        self.messages = [entry for entry in self.messages if entry["sid"] != sid]
        self.write(
            "Here is how.", sid=sid, status=status, error_code=error_code, age=age, sender=ACCOUNT.number,
            to=f"whatsapp:{CUSTOMER}", direction="outbound-api",
        )  # fmt: skip

    async def answer(self, request: Request) -> Response:
        self.asked.append(request.url.path + ("?" + request.url.query if request.url.query else ""))
        if request.headers.get("Authorization") != CREDENTIALS:
            return JSONResponse({"code": 20003, "message": "Authenticate", "status": 401}, 401)
        for ending, fault in self.faults.items():
            if request.url.path.endswith(ending):
                return fault or await keep_silent(request)
        return self.find(request)

    def find(self, request: Request) -> Response:
        path, parts = request.url.path, request.url.path.split("/")
        if path == f"{ROOT}.json":
            return JSONResponse(self.account)
        if path == f"{ROOT}/Messages.json":
            return self.list_messages(request)
        if path.startswith(f"{ROOT}/Messages/") and path.endswith("/Media.json"):
            files = self.files.get(parts[-2], [])
            return JSONResponse({"media_list": [{"sid": sid, "content_type": kind} for sid, kind in files]})
        if path == "/v2/Channels/Senders":
            short = [{name: value for name, value in one.items() if name != "webhook"} for one in self.senders]
            return JSONResponse({"senders": short, "meta": {"key": "senders", "next_page_url": None}})
        if path.startswith("/v2/Channels/Senders/"):
            return next((JSONResponse(one) for one in self.senders if one["sid"] == parts[-1]), MISSING)
        if path.startswith("/v1/Content/") and parts[3] in self.approvals:
            return JSONResponse({"sid": parts[3], "whatsapp": self.approvals[parts[3]]})
        return MISSING

    def list_messages(self, request: Request) -> Response:
        wanted = dict(request.query_params)
        found = [entry for entry in self.messages if is_wanted(entry, wanted)]
        page = int(wanted.get("Page", 0))
        shown = found[page * self.page_size : (page + 1) * self.page_size]
        following = None
        if len(found) > (page + 1) * self.page_size:
            following = f"{request.url.path}?{urlencode(wanted | {'Page': page + 1})}"
        answer = json.dumps({"messages": shown, "next_page_uri": self.elsewhere or following})
        return Response(answer, media_type="application/json")  # in ASCII, so that it can hold half a character


async def keep_silent(request: Request) -> Response:
    """Until the other side hangs up."""
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    return Response()


def make_entry(text: str, at: datetime) -> dict[str, Any]:
    return {
        "sid": new_sid(),
        "to": f"whatsapp:{ACCOUNT.number}",
        "body": text,
        "direction": "inbound",
        "num_media": "0",
        "status": "received",
        "error_code": None,
        "date_created": format_datetime(at.replace(microsecond=0)),
        "date_sent": format_datetime(at.replace(microsecond=0)),
    }


def read_created(entry: dict[str, Any]) -> datetime:
    return datetime.strptime(entry["date_created"], "%a, %d %b %Y %H:%M:%S %z")


def is_wanted(entry: dict[str, Any], wanted: dict[str, str]) -> bool:
    return (
        entry["to"] == wanted.get("To", entry["to"])
        and entry["from"] == wanted.get("From", entry["from"])
        and read_created(entry).date().isoformat() >= wanted.get("DateSent>", "")
    )


def say(status: int, code: int | None = None) -> Response:
    """A refusal; without a code, a proxy's page."""
    if code is None:
        return PlainTextResponse("<html>", status)
    return JSONResponse({"code": code, "message": "no", "status": status}, status)


@asynccontextmanager
async def running_records() -> AsyncIterator[Records]:
    """The account on a free port of this machine, for the length of the block."""
    records = Records()
    app = Starlette(routes=[Route("/{path:path}", records.answer)])
    async with serving(app) as records.url:
        yield records
