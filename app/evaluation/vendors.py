"""Vendors that keep what they are given, and a model that is listened to: what stands around the desk under test."""

from dataclasses import dataclass, field
from datetime import timedelta

from agent.brief import Brief
from agent.models.base import Model, ModelReply, ModelRequest
from channels.base import KeepDraft, OutgoingMessage
from channels.mail.writing import write_mail
from channels.splitting import split_for


@dataclass
class KeptChannel:
    """A channel whose vendor takes everything and passes nothing on."""

    name: str
    sender: str
    """Our address there."""
    company: str
    sent: list[str] = field(default_factory=list)
    """As it would have left: a mail with its headers, or the text of a chat message."""
    index_lag: timedelta | None = timedelta(0)
    absence_is_proof: bool = True

    def split(self, body: str) -> list[str]:
        return split_for(self.name, body)

    async def send(self, message: OutgoingMessage, keep_draft: KeepDraft) -> str:  # noqa: ARG002 (nothing is drafted)
        """Keep it; the id says which one it is."""
        is_mail = self.name == "gmail"
        raw = write_mail(message, sender=self.sender, company=self.company).decode() if is_mail else message.body
        self.sent.append(raw)
        return f"kept-{self.name}-{len(self.sent)}"

    async def look_up(self, message: OutgoingMessage) -> str | None:  # noqa: ARG002 (no try here is ever in doubt)
        return None


@dataclass
class HeardModel:
    """A model, and the brief it was last asked about: the pre-pass leaves no row where no ticket is opened."""

    model: Model
    briefs: list[Brief] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.model.name

    async def reply(self, request: ModelRequest) -> ModelReply:
        self.briefs.append(request.brief)
        return await self.model.reply(request)
