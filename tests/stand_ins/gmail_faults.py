"""A proxy before the Gmail emulator: fails as Google fails, does what the emulator leaves out, and keeps the journal.

What it does in the emulator's place: getProfile, the check of access tokens, expired history ids (404), undecodable
mail (400), a search by Message-ID, a draft that is sent as a new message, a thread only where thread id, subject and
references agree, no empty lists in answers, and the certificates that pushes are signed with.
"""

import asyncio
import base64
import binascii
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tests.stand_ins.gmail_journal import DONE, GmailFault, GmailJournal, GmailKnobs, read_head, trim_subject
from tests.stand_ins.journal import Gate
from tests.stand_ins.push import CERTS, PushSender
from tests.stand_ins.vendor import with_transport
from tests.stand_ins.wires import Dropped

MAILBOX = "/gmail/v1/users/me"
AS_OWNER = {"Authorization": "Bearer the-owner-of-the-mailbox"}
"""The emulator takes any token for its first mailbox."""
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def name_call(method: str, path: str) -> str:
    """The call as Google's reference names it: messages.get, getProfile; `token` for tokens, the path for the rest."""
    if path == "/oauth2/token":
        return "token"
    found = re.fullmatch(r"(?:/upload)?/gmail/v1/users/[^/]+/(.+)", path)
    if not found:
        return path
    steps = found[1].split("/")
    if len(steps) == 1:
        verbs = {"profile": "getProfile", "watch": "watch", "stop": "stop"}
        return verbs.get(steps[0]) or f"{steps[0]}.{'list' if method == 'GET' else 'create'}"
    if "attachments" in steps:
        return "messages.attachments.get"
    on_one = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    return f"{steps[0]}.{on_one.get(method, steps[-1])}"


class NotTaken(Exception):
    """Google would not do this. The fault says in which words."""

    def __init__(self, fault: GmailFault) -> None:
        super().__init__(fault)
        self.fault = fault


class GmailProxy:
    """The emulator as the rest of the world sees it."""

    def __init__(self, client: httpx2.AsyncClient, push: PushSender, address: str) -> None:
        self.client, self.push, self.address = client, push, address
        self.knobs, self.journal, self.gate = GmailKnobs(), GmailJournal(), Gate()
        self.tokens: set[str] = set()
        """Access tokens that were issued and are still good."""
        self.one_send = asyncio.Lock()
        self.own: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "token": self.issue_token,
            "getProfile": self.show_profile,
            "history.list": self.list_history,
            "messages.list": self.list_messages,
            "drafts.create": self.write_draft,
            "drafts.update": self.write_draft,
            "drafts.send": self.send_draft,
            "messages.send": self.send_message,
        }

    def make_app(self) -> ASGIApp:
        """The proxy as an ASGI application."""
        routes = [Route(CERTS, self.push.show_certs), Route("/{path:path}", self.answer, methods=METHODS)]
        return with_transport(Starlette(routes=routes))

    async def answer(self, request: Request) -> Response:
        """One call: hold, wait, fail, do, answer, as gate and knobs say."""
        await request.body()  # all of it, so that a connection that is cut later ends the same way every time
        call = name_call(request.method, request.url.path)
        gate = self.gate if call == self.knobs.held else Gate()
        fault = self.knobs.draw_fault(call)
        self.journal.asked[call, fault or "ok"] += 1
        if not await gate.wait_at("before"):
            return Dropped()
        await asyncio.sleep(self.knobs.delay_seconds)
        if fault not in DONE:
            return Dropped() if fault == "lose" else self.knobs.refuse(fault or "")
        answer = await self.do(call, request)
        if not await gate.wait_at("after") or fault == "drop":
            return Dropped()
        return self.knobs.refuse(fault) if fault else answer

    async def do(self, call: str, request: Request) -> Response:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.url.path.startswith(("/gmail/", "/upload/")) and bearer not in self.tokens:
            return self.knobs.refuse("refuse_401")
        try:
            return await self.own.get(call, self.pass_on)(request)
        except NotTaken as error:
            return self.knobs.refuse(error.fault)

    async def pass_on(self, request: Request, body: Any = None) -> Response:
        """The emulator's answer to this call, or to this body in the place of the caller's."""
        content = await request.body() if body is None else json.dumps(body).encode()
        headers = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
        params = {name: request.query_params.getlist(name) for name in request.query_params}
        if self.knobs.page_size is not None:
            params["maxResults"] = [str(min(self.knobs.page_size, int(params.get("maxResults", ["100"])[0])))]
        given = await self.client.request(
            request.method, request.url.path, params=params, content=content, headers=headers
        )
        return show(given)

    async def issue_token(self, request: Request) -> Response:
        answer = await self.pass_on(request)
        if answer.status_code == 200:
            self.tokens.add(json.loads(bytes(answer.body))["access_token"])
        return answer

    async def show_profile(self, _: Request) -> Response:
        counts = {name: (await self.ask("GET", name))["resultSizeEstimate"] for name in ("messages", "threads")}
        return JSONResponse(
            {
                "emailAddress": self.address,
                "messagesTotal": counts["messages"],
                "threadsTotal": counts["threads"],
                "historyId": await self.find_newest_history_id(),
            }
        )

    async def find_newest_history_id(self) -> str:
        return str((await self.ask("GET", "history?startHistoryId=0&maxResults=1"))["historyId"])

    async def list_history(self, request: Request) -> Response:
        asked_from = request.query_params.get("startHistoryId", "")
        if asked_from.isdecimal() and int(asked_from) < self.knobs.oldest_history_id:
            raise NotTaken("miss_404")
        return await self.pass_on(request)

    async def list_messages(self, request: Request) -> Response:
        """The emulator finds nothing by rfc822msgid, so that such a search is one page, made here."""
        query = request.query_params.get("q", "")
        wanted = re.search(r"\brfc822msgid:(\S+)", query)
        if not wanted:
            return await self.pass_on(request)
        rest = httpx2.QueryParams({"q": query.replace(wanted[0], ""), "maxResults": 500})
        lagging = {sent.id for sent in self.journal.sent if time.time() - sent.at < self.knobs.index_lag_seconds}
        found = []
        for one in (await self.ask("GET", f"messages?{rest}"))["messages"]:
            head = read_head(read_raw(await self.ask("GET", f"messages/{one['id']}?format=raw")))
            if head.message_id == wanted[1].strip("<>") and one["id"] not in lagging:
                found.append(one)
        return JSONResponse({"resultSizeEstimate": len(found)} | ({"messages": found} if found else {}))

    async def write_draft(self, request: Request) -> Response:
        body = await request.json()
        message = body.get("message", {})
        return await self.pass_on(request, body | {"message": await self.place(message)})

    async def send_message(self, request: Request) -> Response:
        message = await self.place(await request.json())
        return JSONResponse(await self.deliver(message, draft_id=None))

    async def send_draft(self, request: Request) -> Response:
        """Send a draft, once: it is gone afterwards, and what was sent is a message with an id of its own."""
        draft_id = str((await request.json())["id"])
        async with self.one_send:
            draft = await self.ask("GET", f"drafts/{draft_id}?format=raw")
            sent = await self.deliver(draft["message"], draft_id=draft_id)
            await self.ask("DELETE", f"drafts/{draft_id}")
        return JSONResponse(sent)

    async def deliver(self, message: dict[str, Any], *, draft_id: str | None) -> dict[str, Any]:
        raw = read_raw(message)
        head = read_head(raw)
        if not head.recipients:
            raise NotTaken("refuse_400")
        going = replace_message_id(raw) if self.knobs.rewrites_message_id or not head.message_id else raw
        stored = await self.ask("POST", "messages/send", {"raw": encode_raw(going), "threadId": message["threadId"]})
        self.journal.add(raw, stored, draft_id)
        return {name: stored[name] for name in ("id", "threadId", "labelIds")}

    async def place(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message with the thread Gmail puts it in: the one it asks for when subject and references agree with what
        is in there, otherwise a new one."""
        head, thread_id = read_head(read_raw(message)), message.get("threadId")
        if thread_id:
            thread = await self.ask("GET", f"threads/{thread_id}?format=raw")
            heads = [read_head(read_raw(one)) for one in thread["messages"]]
            subjects = {trim_subject(one.subject) for one in heads}
            if trim_subject(head.subject) in subjects and {one.message_id for one in heads} & set(head.mentions):
                return message
        return message | {"threadId": f"thr_{uuid4().hex[:16]}"}

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the mailbox's owner, past all faults. Raises NotTaken for what is not there."""
        given = await self.client.request(method, f"{MAILBOX}/{path}", json=body, headers=AS_OWNER)
        if given.status_code == 404:
            raise NotTaken("miss_404")
        if given.status_code == 400:
            raise NotTaken("refuse_400")
        given.raise_for_status()
        return given.json() if given.content else None


def show(given: httpx2.Response) -> Response:
    """The emulator's answer, with its empty lists left out as Google does."""
    headers = {name: given.headers[name] for name in ("content-type", "location") if name in given.headers}
    if given.status_code != 200 or "json" not in headers.get("content-type", ""):
        return Response(given.content, given.status_code, headers)
    body = {name: value for name, value in given.json().items() if value != []}
    return Response(json.dumps(body), 200, headers)


def read_raw(message: dict[str, Any]) -> bytes:
    """The mail in a message of the API. Raises NotTaken for what is none."""
    try:
        raw = message["raw"].replace("-", "+").replace("_", "/")
        return base64.b64decode(raw + "=" * (-len(raw) % 4), validate=True)
    except (KeyError, AttributeError, binascii.Error) as error:
        raise NotTaken("refuse_400") from error


def encode_raw(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def replace_message_id(raw: bytes) -> bytes:
    """The mail with a Message-ID as Gmail gives its own."""
    end = b"\r\n" if b"\r\n" in raw else b"\n"
    head, blank, body = raw.partition(end * 2)
    others = re.sub(rb"(?im)^message-id:[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*", b"", head)
    return f"Message-ID: <CA+{uuid4().hex}@mail.gmail.com>".encode() + end + others.rstrip(b"\r\n") + blank + body
