"""The three wires of the stand-in: Twilio's, one of drafts like Gmail's, and one that cannot be asked."""

import asyncio
import base64
import binascii
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope
from starlette.types import Send as AsgiSend

from tests.stand_ins.journal import TAKEN, Accepted, Gate, Journal, Knobs, Send, accept, draw_fault
from tests.stand_ins.twilio_messages import MESSAGES, find_problem, is_wanted, read_form, show_message
from tests.stand_ins.webhooks import ACCOUNT, TOKEN, StatusReports, draw_sid

DRAFTS = "/gmail/v1/users/me"


@dataclass(slots=True)
class Desk:
    """What all wires share: the vendor's side of the counter."""

    knobs: Knobs
    journal: Journal
    rng: random.Random
    reports: StatusReports
    gate: Gate = field(default_factory=Gate)
    drafts: dict[str, Send] = field(default_factory=dict)
    """Drafts that were not sent, by id."""

    async def take(
        self, send: Send, *, message_id: str, answer: Callable[[Accepted], Response], draft_id: str | None = None
    ) -> Response:
        """One send: hold, wait, fail, write down, answer, as gate and knobs say. A draft can be taken once."""
        if not await self.gate.wait_at("before"):
            return Dropped()
        await asyncio.sleep(self.knobs.delay_seconds)
        fault = draw_fault(self.knobs, self.rng)
        self.journal.asked[fault or "ok"] += 1
        if fault not in TAKEN:
            return Dropped() if fault == "lose" else self.refuse(fault or "")
        if draft_id is not None and self.drafts.pop(draft_id, None) is None:
            raise HTTPException(404)
        taken = accept(self.journal, send, message_id=message_id, fault=fault, knobs=self.knobs, rng=self.rng)
        self.reports.begin(taken)
        if not await self.gate.wait_at("after") or fault == "drop":
            return Dropped()
        return self.refuse(fault) if fault else answer(taken)

    def refuse(self, fault: str) -> Response:
        """An error in words that suit both vendors."""
        status = int(fault[-3:])
        code = self.knobs.refusal_code if status == 400 else 20000 + status
        error = {"code": status, "message": f"stand-in: {fault}", "status": str(status)}
        headers = {"Retry-After": f"{self.knobs.retry_after_seconds:g}"} if status == 429 else {}
        body = {"code": code, "message": f"stand-in: {fault}", "status": status, "error": error}
        return JSONResponse(body, status, headers)


class Dropped(Response):
    """No answer at all: the connection is cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        scope["transport"].abort()
        while (await receive())["type"] != "http.disconnect":
            pass


def make_routes(desk: Desk) -> list[Route]:
    """All wires of one desk."""
    twilio, drafts, mute = TwilioWire(desk), DraftsWire(desk), MuteWire(desk)
    return [
        Route(f"{MESSAGES}.json", twilio.create, methods=["POST"]),
        Route(f"{MESSAGES}.json", twilio.list_messages),
        Route(MESSAGES + "/{sid}.json", twilio.show),
        Route(f"{DRAFTS}/drafts", drafts.create, methods=["POST"]),
        Route(f"{DRAFTS}/drafts/send", drafts.send, methods=["POST"]),
        Route(DRAFTS + "/drafts/{draft_id}", drafts.show),
        Route("/mute/messages", mute.send, methods=["POST"]),
    ]


class TwilioWire:
    """POST, GET Messages.json and GET Messages/{sid}.json."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def create(self, request: Request) -> Response:
        if refusal := self.check_account(request):
            return refusal
        form = {name: str(value) for name, value in (await request.form()).items()}
        if problem := find_problem(form, self.desk.knobs):
            self.desk.journal.asked["invalid"] += 1
            return JSONResponse({"code": problem, "message": "stand-in: invalid", "status": 400}, 400)
        send = read_form(form, self.desk.knobs)
        sid = draw_sid("SM", self.desk.rng)
        return await self.desk.take(send, message_id=sid, answer=lambda taken: JSONResponse(show_message(taken), 201))

    async def list_messages(self, request: Request) -> Response:
        """Newest first, filtered by To, From, DateSent, DateSent< and DateSent> (whole days), in pages."""
        if refusal := self.check_account(request):
            return refusal
        self.desk.journal.looked_up += 1
        wanted = request.query_params
        now = time.time()
        listed = [one for one in reversed(self.desk.journal.accepted) if one.seen_in_lists_at <= now]
        found = [one for one in listed if one.send.wire == "twilio" and is_wanted(one, wanted)]
        page, size = int(wanted.get("Page", 0)), min(1000, int(wanted.get("PageSize", 50)))
        shown = found[page * size : (page + 1) * size]
        following = urlencode(dict(wanted) | {"Page": page + 1, "PageSize": size})
        next_page = f"{request.url.path}?{following}" if len(found) > (page + 1) * size else None
        rows = [show_message(one) for one in shown]
        return JSONResponse({"messages": rows, "page": page, "page_size": size, "next_page_uri": next_page})

    async def show(self, request: Request) -> Response:
        """One message; it is there at once, only lists lag."""
        if refusal := self.check_account(request):
            return refusal
        self.desk.journal.looked_up += 1
        for one in self.desk.journal.accepted:
            if one.id == request.path_params["sid"]:
                return JSONResponse(show_message(one))
        return JSONResponse({"code": 20404, "message": "stand-in: no such message", "status": 404}, 404)

    def check_account(self, request: Request) -> Response | None:
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        try:
            known = base64.b64decode(given).decode() == f"{ACCOUNT}:{TOKEN}"
        except (binascii.Error, UnicodeDecodeError):
            known = False
        if known and request.path_params["account"] == ACCOUNT:
            return None
        return JSONResponse({"code": 20003, "message": "stand-in: authenticate", "status": 401}, 401)


class DraftsWire:
    """Create a draft, send it, ask for it. A draft that was sent is gone; its message is `sent-` and the draft's id."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def create(self, request: Request) -> Response:
        raw = (await request.json())["message"]["raw"]
        mail = message_from_bytes(base64.urlsafe_b64decode(raw + "=="), policy=policy.default)
        body = mail.get_content() if mail.get_content_type() == "text/plain" else mail.as_string()
        token = mail.get("X-Outbox-Id")
        send = Send("drafts", mail["To"], body.rstrip("\n"), token, mail["From"] or "", mail["Subject"] or "")
        draft_id = draw_sid("r-", self.desk.rng)
        self.desk.drafts[draft_id] = send
        return show_draft(draft_id)

    async def send(self, request: Request) -> Response:
        draft_id = (await request.json())["id"]
        send = self.desk.drafts.get(draft_id)
        if send is None:
            raise HTTPException(404)
        return await self.desk.take(
            send,
            message_id=f"sent-{draft_id}",
            answer=lambda taken: JSONResponse({"id": taken.id, "labelIds": ["SENT"]}),
            draft_id=draft_id,
        )

    async def show(self, request: Request) -> Response:
        draft_id = request.path_params["draft_id"]
        self.desk.journal.looked_up += 1
        if draft_id not in self.desk.drafts:
            raise HTTPException(404)
        return show_draft(draft_id)


def show_draft(draft_id: str) -> Response:
    return JSONResponse({"id": draft_id, "message": {"id": f"draft-{draft_id}", "labelIds": ["DRAFT"]}})


class MuteWire:
    """Takes messages and can be asked nothing."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def send(self, request: Request) -> Response:
        fields = await request.json()
        send = Send("mute", fields["to"], fields["body"], fields.get("token"))
        message_id = draw_sid("mute-", self.desk.rng)
        return await self.desk.take(
            send, message_id=message_id, answer=lambda taken: JSONResponse({"id": taken.id}, 201)
        )
