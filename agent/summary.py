"""A long conversation in a model's words: what it is asked, and whether what it wrote may be kept."""

import re
import secrets
from datetime import timedelta
from html import unescape
from pathlib import Path

from agent.evidence import index_facts
from agent.facts import Fact, list_facts
from agent.models.base import ModelReply, Prompt, Text
from agent.prompt import BURST_CHARS, SUMMARY_CHARS, cut_escaped, escape_text, share_out, write_block
from agent.reckoning import UNITLESS, Index, is_same_amount
from db.summaries import Past

INSTRUCTIONS = Path(__file__).with_name("summary.md").read_text(encoding="utf-8")
DEADLINE = timedelta(seconds=25)
MOST_CHARS = 1_500
"""Half of what there is room for, so that the notes stay shorter than what they stand for."""
HARD = frozenset(("number", "date", "link", "email"))
TAG = re.compile(r"</?\s*(?:transcript|summary|subject|msg|kb|tickets)\b", re.IGNORECASE)


def write_request(past: Past) -> Prompt:
    """Ask for the notes on `past`: one answer in words, with no tool to call."""
    nonce = secrets.token_hex(4)
    texts = [escape_text(message.body) for message in past.fresh]
    cap = share_out([len(text) for text in texts], BURST_CHARS)
    messages = (
        f'<msg from="{message.author}" at="{message.sent_at.date().isoformat()}">{cut_escaped(text, cap)}</msg>'
        for message, text in zip(past.fresh, texts, strict=True)
    )
    blocks = (
        f'<transcript nonce="{nonce}">',
        write_block("summary", past.summary, SUMMARY_CHARS),
        write_block("tickets", ", ".join(past.tickets), SUMMARY_CHARS),
        *messages,
        f'</transcript nonce="{nonce}">',
        "Write the new notes.",
    )
    return Prompt(
        instructions=INSTRUCTIONS,
        items=(Text("user", "\n".join(block for block in blocks if block)),),
        timeout=DEADLINE,
        conversation=str(past.conversation_id),
    )


def read_summary(reply: ModelReply, past: Past) -> str | None:
    """The notes a model wrote; None where they are not to be kept. It read escaped text, and may have copied that."""
    text = unescape("\n".join(item.text for item in reply.items if isinstance(item, Text))).strip()
    is_fit = 0 < len(text) <= MOST_CHARS and not TAG.search(text)
    return text if is_fit and not list_invented(text, past) else None


def list_invented(text: str, past: Past) -> list[str]:
    """The numbers, dates, links and addresses of the notes that nobody wrote."""
    said = (f"{message.sent_at.date().isoformat()}\n{message.body}" for message in past.messages)
    known = index_facts("\n".join((*said, *past.tickets, past.summary)))
    return [fact.written for fact in list_facts(text) if fact.kind in HARD and not is_known(fact, known)]


def is_known(fact: Fact, known: Index) -> bool:
    """A number with a unit needs that unit, or the same amount in another one: notes reckon nothing."""
    if fact.kind != "number":
        return (fact.kind, fact.value, fact.unit) in known
    units = {unit for kind, value, unit in known if kind == "number" and value == fact.value}
    return fact.unit in units or (fact.unit in UNITLESS and bool(units)) or is_same_amount(fact, known)
