"""Replies through Gmail, in two phases: a draft that is still there was not sent, one that is gone was."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from channels.base import KeepDraft, OutgoingMessage
from channels.gmail_api import IN_DOUBT, DraftGone, GmailApi, ThreadGone, open_gmail_api
from channels.google_oauth import GmailAccount
from channels.mail.team import TeamMail, write_team_mail
from channels.mail.threads import make_message_id
from channels.mail.writing import write_mail
from db.errors import RetryLater

LOOK_AGAIN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Gmail:
    """One mailbox as a channel."""

    api: GmailApi
    company: str
    name: str = "gmail"
    index_lag: timedelta | None = timedelta(0)
    absence_is_proof: bool = True

    @property
    def address(self) -> str:
        return self.api.account.address

    def split(self, body: str) -> list[str]:
        """A mail is as long as it has to be."""
        return [body]

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:
        """The id of the message in Gmail. Raises NotSent, Refused; anything else leaves open whether it went."""
        draft_id = message.draft_id or await self.make_draft(message)
        if message.draft_id is None:
            await keep_draft(draft_id)
        return await self.send_draft(draft_id, message.token)

    async def send_to_team(self, mail: TeamMail, keep_draft: KeepDraft) -> str:
        """As `send`, but RetryLater where it may have gone: the next try finds its draft, or what was sent.

        DraftGone on a further try: it went and is not yet seen among what was sent, or was deleted.
        """
        draft_id = mail.draft_id
        if draft_id is None:
            raw = write_team_mail(mail, sender=self.address, company=self.company)
            draft_id = await self.api.create_draft(raw, None)
            await keep_draft(draft_id)
        try:
            return await self.send_draft(draft_id, mail.token)
        except IN_DOUBT as error:
            raise RetryLater(f"in doubt: {type(error).__name__}", delay=LOOK_AGAIN) from error

    async def send_draft(self, draft_id: str, token: UUID) -> str:
        try:
            return await self.api.send_draft(draft_id)
        except DraftGone:
            if found := await self.find_sent(token):
                return found
            raise

    async def make_draft(self, message: OutgoingMessage) -> str:
        raw = write_mail(message, sender=self.address, company=self.company)
        try:
            return await self.api.create_draft(raw, message.mail_thread)
        except ThreadGone:
            return await self.api.create_draft(raw, None)

    async def look_up(self, message: OutgoingMessage) -> str | None:
        """The id of a message whose try has no outcome; None when it surely was not sent.

        Raises RetryLater while its draft is gone and it is not among what was sent: Gmail's index may be late, or a
        person has deleted the draft. The mailbox's own history tells, or in the end a person must.
        """
        if message.draft_id is None or await self.api.has_draft(message.draft_id):
            return None  # it is sent only after its draft was kept
        if found := await self.find_sent(message.token):
            return found
        raise RetryLater("the draft is gone, and not yet seen among what was sent", delay=LOOK_AGAIN)

    async def find_sent(self, token: UUID) -> str | None:
        return await self.api.find_sent(make_message_id(token, self.address.rpartition("@")[2]))


@asynccontextmanager
async def open_gmail(account: GmailAccount, company: str) -> AsyncIterator[Gmail]:
    """The channel with its threads and connections, for the length of a worker."""
    async with open_gmail_api(account) as api:
        yield Gmail(api, company)
