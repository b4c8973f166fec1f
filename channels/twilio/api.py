"""Questions to Twilio: one GET each; and how to read its answers."""

import re
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2

from channels.answers import read_object
from channels.twilio.codes import PAUSE
from db.errors import DeskError, NotFound, PermanentFailure, RetryLater

LONGEST_PAUSE = timedelta(hours=1)
PAGE = 1000
"""The most Twilio lists at once."""
MAX_PAGES = 100
"""More than a small team's customers write in a week, a thousand to a page."""


class AccessRefused(DeskError):
    """Twilio lets us in no more until somebody does something; the message says what."""


async def ask(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    """The answer to one question.

    AccessRefused: 401 or 403. NotFound: 404. RetryLater: whatever else keeps Twilio from answering.
    """
    try:
        answer = await client.get(url)
    except httpx2.RequestError as error:
        raise RetryLater(type(error).__name__, delay=PAUSE) from error
    content = read_object(answer)
    if answer.status_code in (401, 403):
        raise AccessRefused(explain_refusal(answer.status_code, content.get("code")))
    if answer.status_code == 404:
        raise NotFound("Twilio has no such thing")
    if not answer.is_success or not content:
        raise RetryLater(f"Twilio answered with status {answer.status_code}", delay=read_pause(answer) or PAUSE)
    return content


def explain_refusal(status: int, code: object) -> str:
    named = f"status {status}, code {code}" if isinstance(code, int) else f"status {status}"
    if status == 401:
        return f"Twilio does not know these credentials ({named}): check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"
    return f"Twilio lets this account do nothing here ({named}): its console says why"


async def read_pages(
    client: httpx2.AsyncClient, url: str, query: Mapping[str, str | int], key: str
) -> AsyncGenerator[list[dict[str, Any]]]:
    """The pages of a list, as Twilio orders it; nothing but `url` is ever asked, whatever an answer points to.

    Raises as `ask` does, and PermanentFailure for a list that goes on elsewhere or has no end.
    """
    asked = urlencode(query)
    for _ in range(MAX_PAGES):
        content = await ask(client, f"{url}?{asked}")
        entries = content.get(key)
        if not isinstance(entries, list):
            raise RetryLater(f"Twilio's answer has no {key}", delay=PAUSE)
        yield [entry for entry in entries if isinstance(entry, dict)]
        following = find_next_page(content)
        if following is None:
            return
        parts = urlsplit(following)
        if parts.path != urlsplit(url).path:
            raise PermanentFailure(f"Twilio's list of {key} goes on at another address")
        asked = parts.query
    raise PermanentFailure(f"Twilio's list of {key} has more than {MAX_PAGES} pages")


def find_next_page(content: Mapping[str, Any]) -> str | None:
    """The address of the next page; the older API has it at the top, the newer ones in `meta`."""
    meta = content.get("meta")
    following = content.get("next_page_uri") or (meta.get("next_page_url") if isinstance(meta, dict) else None)
    return following if isinstance(following, str) and following else None


def read_pause(answer: httpx2.Response, usual: timedelta = PAUSE) -> timedelta:
    """How long Twilio asks us to wait, from a second to an hour; `usual` where it does not say."""
    pause = read_retry_after(answer.headers.get("Retry-After", ""))
    return usual if pause is None else min(max(pause, timedelta(seconds=1)), LONGEST_PAUSE)


def read_retry_after(text: str) -> timedelta | None:
    """Seconds, or the time of day at which to come again (RFC 9110); None for what is neither."""
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text, re.ASCII):
        return timedelta(seconds=float(text))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)


def read_time(entry: dict[str, Any]) -> datetime:
    """When Twilio took a message; long ago where it does not say."""
    try:
        created = parsedate_to_datetime(str(entry.get("date_created")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return created if created.tzinfo else created.replace(tzinfo=UTC)
