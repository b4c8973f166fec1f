"""What the agent is told of a turn: who writes, what was said before and now, and what the pre-pass makes of it."""

from datetime import UTC, datetime
from typing import cast

from agent.assess import Assessor
from agent.brief import Assessment, Author, Brief, ChannelLimits, Line
from channels.base import InboundMessage
from db.turns import OpenTurn
from worker.media import ReadMessage


async def write_brief(turn: OpenTurn, read: list[ReadMessage], *, company: str, assessor: Assessor) -> Brief:
    """The facts behind a turn; messages are numbered m1, m2, ... from the oldest that is shown."""
    messages = [one.message for one in read]
    said = [(m.author, m.body, m.sent_at) for m in turn.history]
    burst = [("customer", m.body, m.sent_at) for m in messages]
    lines = [
        Line(f"m{number}", cast(Author, author), text, at)
        for number, (author, text, at) in enumerate(said + burst, start=1)
    ]
    history, fresh = tuple(lines[: len(said)]), tuple(lines[len(said) :])
    return Brief(
        company=company,
        limits=ChannelLimits(messages[0].channel, turn.config["max_chars"], turn.config["preferred_chars"]),
        today=datetime.now(UTC).date(),
        customer_name=turn.customer_name,
        plan=turn.plan,
        trust=turn.trust,
        subject=turn.subject,
        summary=turn.summary,
        history=history,
        burst=fresh,
        open_ticket=turn.ticket["reference"] if turn.ticket else None,
        assessment=await assess(turn, history, messages, assessor),
        unread=tuple(kind for one in read for kind in one.unread),
        own_words="\n".join(m.words for m in messages),
    )


async def assess(
    turn: OpenTurn, history: tuple[Line, ...], messages: list[InboundMessage], assessor: Assessor
) -> Assessment:
    """The pre-pass. A first message is judged with its subject, which often holds the question."""
    texts = [m.words for m in messages]
    if not history and turn.subject:
        texts = [turn.subject, *texts]
    earlier = [line.text for line in history if line.author == "customer"]
    return assessor.assess(
        texts,
        previous=earlier,
        language=turn.language,
        category_hint=messages[0].category,
        vector=await assessor.find_vector(texts),
    )
