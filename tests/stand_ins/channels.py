"""Two small channels that send to the vendor stand-in: one through drafts, one that can never be asked."""

import base64
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from channels.base import KeepDraft, NotSent, OutgoingMessage, Refused
from tests.stand_ins.http import Answer, NoConnection, call

DRAFTS = "/gmail/v1/users/me/drafts"


async def post(url: str, body: Any) -> Answer:
    """One request, with an error said in the words of channels.base. A 500 stays open: nobody knows."""
    try:
        answer = await call("POST", url, json_body=body, seconds=5)
    except NoConnection as error:
        raise NotSent("no connection", delay=timedelta(seconds=1)) from error
    if answer.status == 429:
        raise NotSent("429", delay=timedelta(seconds=float(answer.headers.get("retry-after", "1"))))
    if answer.status == 400:
        raise Refused(f"refused: {answer.read_json()['code']}")
    return answer


def split_words(body: str, size: int) -> list[str]:
    """Pieces of at most so many characters, cut at blanks; a longer word stays whole."""
    parts = [""]
    for word in body.split():
        if parts[-1] and len(parts[-1]) + 1 + len(word) > size:
            parts.append("")
        parts[-1] = f"{parts[-1]} {word}".strip()
    return parts


@dataclass(frozen=True, slots=True)
class DraftsChannel:
    """A vendor with two phases, as Gmail is: a draft that is still there was not sent."""

    url: str
    name: str = "drafts"
    index_lag: timedelta | None = timedelta(0)
    absence_is_proof: bool = True
    part_size: int = 2000

    def split(self, body: str) -> list[str]:
        return split_words(body, self.part_size)

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:
        draft_id = message.draft_id
        if draft_id is None:
            created = await post(self.url + DRAFTS, {"message": {"raw": lay_out_mail(message)}})
            draft_id = str(created.read_json()["id"])
            await keep_draft(draft_id)
        answer = await post(f"{self.url}{DRAFTS}/send", {"id": draft_id})
        if answer.status not in (200, 404):  # gone: an earlier try has sent it
            raise RuntimeError(f"the vendor said {answer.status}")
        return f"sent-{draft_id}"

    async def look_up(self, message: OutgoingMessage) -> str | None:
        if message.draft_id is None:
            return None
        answer = await call("GET", f"{self.url}{DRAFTS}/{message.draft_id}", seconds=5)
        if answer.status not in (200, 404):
            raise RuntimeError(f"the vendor said {answer.status}")
        return f"sent-{message.draft_id}" if answer.status == 404 else None


def lay_out_mail(message: OutgoingMessage) -> str:
    """The message as the base64 text a draft is made of."""
    mail = EmailMessage()
    mail["To"], mail["Subject"], mail["X-Outbox-Id"] = message.to, message.subject, str(message.token)
    mail.set_content(message.body)
    return base64.urlsafe_b64encode(mail.as_bytes()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class MuteChannel:
    """A vendor that takes messages and can be asked nothing."""

    url: str
    name: str = "mute"
    index_lag: timedelta | None = None
    absence_is_proof: bool = False
    part_size: int = 2000

    def split(self, body: str) -> list[str]:
        return split_words(body, self.part_size)

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:
        fields = {"to": message.to, "body": message.body, "token": str(message.token), "part": message.part}
        answer = await post(f"{self.url}/mute/messages", fields)
        if answer.status != 201:
            raise RuntimeError(f"the vendor said {answer.status}")
        return str(answer.read_json()["id"])

    async def look_up(self, message: OutgoingMessage) -> str | None:
        raise NotImplementedError("this vendor cannot be asked")
