"""Gmail's API for one mailbox. Google's client waits, so it waits in threads."""

import asyncio
import base64
import binascii
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from channels.base import NotSent, Refused
from channels.gmail_wire import UnclearAnswer, Wire, explain, list_added, list_entries, read_number, read_text
from channels.google_oauth import PAUSE, TIMEOUT, GmailAccount, Grant
from db.errors import DeskError, NotFound, PermanentFailure, RetryLater

THREADS = 4  # calls to Google at the same time; one mailbox is allowed about 50 a second
ME = "me"
HISTORY_PAGE = 500  # the most Gmail lists at once
MESSAGES_PAGE = 500
HISTORY_FIELDS = "historyId,nextPageToken,history(messagesAdded(message(id)))"
LAST_MOMENT = 253_402_300_799_000  # milliseconds: the end of the year 9999, where Python's calendar ends

Make = Callable[[Any], Any]
"""Gmail's `users` resource into the request to send."""


IN_DOUBT = (httpx2.RequestError, ValueError, UnclearAnswer)
"""What a call raises that leaves open whether Google did it; ValueError: the answer is not JSON."""


class HistoryGone(DeskError):
    """Gmail no longer knows what happened since this history id: read the recent messages instead."""


class DraftGone(DeskError):
    """The draft is not there: an earlier try has sent it, or a person has deleted it. find_sent tells which."""


class ThreadGone(Refused):
    """The thread that the draft was for was deleted. Without a thread id Gmail takes it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Whose mailbox it is and how far its history goes now."""

    address: str
    history_id: str
    """Decimal; may be longer than 64 bits hold, so compare it as int in Python and keep it as text."""


@dataclass(frozen=True, slots=True)
class History:
    """What came in since a history id."""

    added: tuple[str, ...]
    """Gmail's ids of the messages that were added, sent ones and drafts too; each once, oldest first."""
    history_id: str
    """Where to read on: never before the start, never past what was read. Decimal, see Profile."""


@dataclass(frozen=True, slots=True)
class Recent:
    """The messages of a time."""

    ids: tuple[str, ...]
    """Gmail's ids, oldest first."""
    is_complete: bool
    """Whether there were no older ones that the limit cut off."""


@dataclass(frozen=True, slots=True)
class RawMail:
    """One message as Gmail keeps it."""

    id: str
    thread_id: str
    label_ids: tuple[str, ...]
    internal_date: datetime
    """When Gmail took it in, aware, UTC."""
    raw: bytes


@dataclass(frozen=True, slots=True)
class Watch:
    """Google's promise to tell us of changes."""

    history_id: str
    expires_at: datetime


class GmailApi:
    """Every call is one try with time limits.

    Reads raise RetryLater (NotSent, with the pause Google asks for, is one), GrantExpired (one as well),
    PermanentFailure, and what the method names.
    """

    def __init__(self, account: GmailAccount, client: httpx2.Client, threads: ThreadPoolExecutor) -> None:
        self.account = account
        self.client = client
        self.threads = threads
        self.grant = Grant(client, account)
        self.local = threading.local()

    async def load_profile(self) -> Profile:
        """The mailbox and its current history id."""
        answer = await self.read(lambda users: users.getProfile(userId=ME))
        return Profile(read_text(answer, "emailAddress").lower(), read_number(answer, "historyId"))

    async def list_history(self, start: str) -> History:
        """All pages since `start`, or nothing: a page that fails fails the whole. Raises HistoryGone."""
        added: dict[str, None] = {}
        reached: list[int] = []
        token, seen = None, {None}
        while True:
            page = await self.read_history(start, token)
            added |= dict.fromkeys(list_added(page))
            reached.append(int(read_number(page, "historyId")))
            token = page.get("nextPageToken")
            if token is None:
                # the first page's: what came while the others were read is read again, and is nothing new then
                return History(tuple(added), str(max(int(start), min(reached))))
            if token in seen:
                raise RetryLater("Gmail's history has no last page", delay=PAUSE)
            seen.add(token)

    async def read_history(self, start: str, token: str | None) -> dict[str, Any]:
        try:
            return await self.read(
                lambda users: users.history().list(
                    userId=ME, startHistoryId=start, pageToken=token, maxResults=HISTORY_PAGE,
                    historyTypes=["messageAdded"], fields=HISTORY_FIELDS,
                )
            )  # fmt: skip
        except NotFound as error:
            raise HistoryGone(str(error)) from None

    async def list_since(self, moment: datetime, limit: int) -> Recent:
        """The newest `limit` messages since `moment`, without spam and bin, for when the history is gone."""
        ids: list[str] = []
        query, token = f"after:{int(moment.timestamp())}", None
        while True:
            page = await self.list_messages(query, token, min(limit + 1, MESSAGES_PAGE))
            found = [read_text(entry, "id") for entry in list_entries(page, "messages")]
            ids += found
            token = page.get("nextPageToken")
            if token is None or not found or len(ids) > limit:
                newest = list(dict.fromkeys(ids))
                return Recent(tuple(reversed(newest[:limit])), token is None and len(newest) <= limit)

    async def list_messages(self, query: str, token: str | None, size: int) -> dict[str, Any]:
        return await self.read(
            lambda users: users.messages().list(userId=ME, q=query, pageToken=token, maxResults=size)
        )

    async def load_raw(self, message_id: str) -> RawMail:
        """Raises NotFound for one that was deleted meanwhile, PermanentFailure for one that cannot be read."""
        answer = await self.read(lambda users: users.messages().get(userId=ME, id=message_id, format="raw"))
        milliseconds = min(int(read_number(answer, "internalDate")), LAST_MOMENT)
        try:
            raw = base64.urlsafe_b64decode(read_text(answer, "raw") + "==")
        except (binascii.Error, ValueError) as error:
            raise PermanentFailure("Gmail gave a message that is not base64") from error
        return RawMail(
            id=read_text(answer, "id"),
            thread_id=read_text(answer, "threadId"),
            label_ids=tuple(str(label) for label in answer.get("labelIds", ())),
            internal_date=datetime.fromtimestamp(milliseconds / 1000, UTC),
            raw=raw,
        )

    async def create_draft(self, raw: bytes, thread_id: str | None) -> str:
        """The draft's id. Whatever fails here has sent nothing: NotSent, GrantExpired, Refused or ThreadGone."""
        message = {"raw": base64.urlsafe_b64encode(raw).decode()} | ({"threadId": thread_id} if thread_id else {})
        try:
            answer = await self.read(lambda users: users.drafts().create(userId=ME, body={"message": message}))
            return read_text(answer, "id")
        except NotFound as error:
            raise ThreadGone(str(error)) from None
        except NotSent:
            raise
        except RetryLater as error:
            raise NotSent(str(error), delay=error.delay) from error

    async def send_draft(self, draft_id: str) -> str:
        """The id of the message that was sent.

        NotSent, GrantExpired, Refused: surely not sent. DraftGone: nothing there to send. Whatever else is raised
        (IN_DOUBT, as a timeout, a broken connection, UnclearAnswer for a 5xx) leaves open whether it went.
        """
        try:
            answer = await self.ask(lambda users: users.drafts().send(userId=ME, body={"id": draft_id}))
        except NotFound as error:
            raise DraftGone(str(error)) from None
        message_id = answer.get("id") if isinstance(answer, dict) else None
        if not message_id:
            raise UnclearAnswer("Gmail names no message")
        return str(message_id)

    async def has_draft(self, draft_id: str) -> bool:
        """Whether the draft is still there, which means that it was not sent."""
        try:
            await self.read(lambda users: users.drafts().get(userId=ME, id=draft_id, format="minimal"))
        except NotFound:
            return False
        return True

    async def find_sent(self, message_id_header: str) -> str | None:
        """Gmail's id of the sent message with this Message-ID, with or without < >. Gmail's index may be late."""
        query = f"rfc822msgid:{message_id_header.strip('<> ')} in:sent"
        entries = list_entries(await self.list_messages(query, None, 10), "messages")
        return read_text(entries[-1], "id") if entries else None

    async def watch(self, topic: str) -> Watch:
        """Have Google publish changes to `topic` for about a week. Drafts are left out: most of them are ours."""
        body = {"topicName": topic, "labelIds": ["DRAFT"], "labelFilterBehavior": "exclude"}
        answer = await self.read(lambda users: users.watch(userId=ME, body=body))
        ends = min(int(read_number(answer, "expiration")), LAST_MOMENT)
        return Watch(read_number(answer, "historyId"), datetime.fromtimestamp(ends / 1000, UTC))

    async def read(self, make: Make) -> dict[str, Any]:
        """A call that changes nothing a customer sees: whatever went wrong on the way, it may be made again."""
        try:
            answer = await self.ask(make)
        except (httpx2.RequestError, ValueError) as error:  # ValueError: not JSON
            raise RetryLater(f"Gmail cannot be asked: {type(error).__name__}", delay=PAUSE) from error
        except UnclearAnswer as error:
            raise RetryLater(str(error), delay=PAUSE) from None
        if not isinstance(answer, dict):
            raise RetryLater("Gmail's answer cannot be read", delay=PAUSE)
        return answer

    async def ask(self, make: Make) -> Any:
        """One call in a thread. Where no connection was made it is NotSent."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, self.execute, make)
        except HttpError as error:
            raise explain(error) from None  # its own words hold the address, and with it what was searched for
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol) as error:
            raise NotSent(type(error).__name__, delay=PAUSE) from error

    def execute(self, make: Make) -> Any:
        if not hasattr(self.local, "users"):
            gmail = build(
                "gmail", "v1", http=Wire(self.client, self.grant), static_discovery=True, cache_discovery=False,
                client_options={"api_endpoint": self.account.api_endpoint},
            )  # fmt: skip
            self.local.users = gmail.users()
        return make(self.local.users).execute(num_retries=0)


@asynccontextmanager
async def open_gmail_api(
    account: GmailAccount, *, threads: int = THREADS, timeout: httpx2.Timeout = TIMEOUT
) -> AsyncIterator[GmailApi]:
    """The API with its threads and connections, for the length of a worker. Calls in flight are waited for."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="gmail")
    client = httpx2.Client(timeout=timeout, follow_redirects=False)
    try:
        yield GmailApi(account, client, pool)
    finally:
        await asyncio.to_thread(pool.shutdown, cancel_futures=True)
        client.close()
