"""What the model reads: the policy, always the same, and the turn, laid out so that nobody can pose as the system."""

import hashlib
import re
from pathlib import Path

from agent.brief import Assessment, Brief, Line
from agent.unread import name_unread

POLICY = Path(__file__).with_name("system.md").read_text(encoding="utf-8")
PROMPT_VERSION = hashlib.sha256(POLICY.encode()).hexdigest()[:12]
"""Names the policy in the ledger: the same text, the same version."""

HISTORY_MESSAGES = 12
CHARS_PER_TOKEN = 4
HISTORY_CHARS = 4_000 * CHARS_PER_TOKEN
HISTORY_MESSAGE_CHARS = HISTORY_CHARS // 4
BURST_CHARS = 4_000 * CHARS_PER_TOKEN
SUMMARY_CHARS = 3_000
SUBJECT_CHARS = 200
FACT_CHARS = 40
VERIFIED_TRUST = 1
DRAFT_NOTE = (
    "a colleague has this conversation, asks you for a draft of the reply and reads it before it is sent: what must "
    "be escalated is with them already, so write with send_response what the results let you say of it, promise "
    "nothing, and leave the rest to them. Only if the results answer none of it, call escalate_to_human with "
    "reason_code no_answer and say in handoff_note what is missing: nobody is handed anything, the colleague reads it"
)

CUT = " [...] "
NONCE = re.compile(r"[A-Za-z0-9]{8,64}")
# Control characters, half surrogate pairs, reversed writing and tag characters: all of it unseen by a person.
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
# Brackets that look like the ones we escape.
LOOKALIKES = str.maketrans({"\uff1c": "<", "\ufe64": "<", "\uff1e": ">", "\ufe65": ">"})
HALVED_END = re.compile(r"&[a-z]{0,3}$")
HALVED_START = re.compile(r"^[a-z]{0,3};")


def build_instructions(company: str) -> str:
    """The policy for `company`: the same bytes in every turn, so that the provider can cache them."""
    return POLICY.replace("{company}", " ".join(company.split()) or "the company")


def list_policy_rules() -> str:
    """The policy without its examples, whose wording a good answer may share."""
    return POLICY.partition("\nEXAMPLES\n")[0]


def lay_out_turn(brief: Brief, nonce: str, *, is_short: bool = False) -> str:
    """The turn as the first user message: facts of ours first, then what others wrote between two nonce lines.

    nonce: 8 to 64 letters and digits, new for each turn; ValueError otherwise. is_short: in a third of the room, for a
    model that cannot read more.
    """
    if not NONCE.fullmatch(nonce):
        raise ValueError("a nonce is 8 to 64 letters and digits")
    blocks = (
        describe_channel(brief),
        f"TODAY {brief.today.isoformat()}",
        describe_customer(brief),
        describe_notes(brief),
        f'<transcript nonce="{nonce}">',
        *lay_out_words(brief, 3 if is_short else 1),
        f'</transcript nonce="{nonce}">',
        f"New since our last word, to be answered now: {', '.join(line.ref for line in brief.burst)}.",
    )
    return "\n".join(blocks)


def describe_channel(brief: Brief) -> str:
    limits = brief.limits
    return (
        f"CHANNEL {limits.channel}. Plain text. "
        f"Stay under {limits.preferred_chars} characters if you can, never go above {limits.max_chars}."
    )


def describe_customer(brief: Brief) -> str:
    """Name and plan may be what somebody typed into a form, so they are escaped like a message."""
    verified = "verified" if brief.trust >= VERIFIED_TRUST else "not verified: give no account details"
    name = quote_fact(find_first_name(brief.customer_name or ""))
    return f"CUSTOMER first name {name}; plan {quote_fact(brief.plan or '')}; {verified}"


def find_first_name(name: str) -> str:
    """The given name of "Ann Lee" and of "Lee, Ann"; empty for an address or nothing."""
    last, comma, first = name.partition(",")
    words = (first if comma and first.strip() else last).split()
    return words[0] if words and "@" not in words[0] else ""


def quote_fact(text: str) -> str:
    """A short fact in quotes it cannot leave; "unknown" where there is none."""
    plain = " ".join(escape_text(text).replace('"', "'").split())
    return f'"{cut_escaped(plain, FACT_CHARS)}"' if plain else "unknown"


def describe_notes(brief: Brief) -> str:
    lines = [*describe_assessment(brief.assessment), f"open ticket: {brief.open_ticket or 'none'}"]
    if brief.is_draft:
        lines.append(DRAFT_NOTE)
    if brief.unread:
        lines.append(
            f"came with the message, not visible to you: {name_unread(brief)}; "
            "say so if the answer depends on it, and hand over if only it can tell"
        )
    return "SYSTEM NOTES\n" + "\n".join(f"- {line}" for line in lines)


def describe_assessment(found: Assessment) -> list[str]:
    """What the pre-pass found, one note each; the customer's own words stay out of it."""
    notes = [
        f"language: {found.language}",
        f"mood: {found.sentiment.label} ({found.sentiment.score:+.2f}), {found.trend}",
        f"category, a guess: {found.category} (margin {found.category_margin:.2f})",
        f"priority: {found.priority} of 10",
    ]
    if found.is_greeting:
        notes.append("a greeting and nothing else")
    if found.is_closing:
        notes.append("closing words: nothing is asked")
    for escalation in found.escalations:
        weight = "must be escalated" if escalation.must else "consider escalating"
        notes.append(f"rule {escalation.reason} ({escalation.category}) fired: {weight}")
    return notes


def lay_out_words(brief: Brief, parts: int) -> list[str]:
    """Everything others wrote, in one of so many parts of its room: summary, subject, recent history, burst."""
    history = list_recent(brief.history, HISTORY_MESSAGES // parts, HISTORY_CHARS // parts)
    left_out = len(brief.history) - len(history)
    texts = [escape_text(line.text) for line in brief.burst]
    cap = share_out([len(text) for text in texts], BURST_CHARS // parts)
    blocks = [
        write_block("summary", brief.summary, SUMMARY_CHARS),
        write_block("subject", brief.subject, SUBJECT_CHARS),
        f"({left_out} earlier messages are left out)" if left_out else "",
        *(write_message(line, text) for line, text in history),
        *(write_message(line, cut_escaped(text, cap)) for line, text in zip(brief.burst, texts, strict=True)),
    ]
    return [block for block in blocks if block]


def list_recent(history: tuple[Line, ...], most: int, room: int) -> list[tuple[Line, str]]:
    """The newest messages that fit, oldest first, with their escaped text."""
    recent: list[tuple[Line, str]] = []
    for line in reversed(history[-most:]):
        text = cut_escaped(escape_text(line.text), HISTORY_MESSAGE_CHARS)
        room -= len(text)
        if room < 0:
            break
        recent.append((line, text))
    return recent[::-1]


def write_message(line: Line, escaped: str) -> str:
    return f'<msg id="{line.ref}" from="{line.author}">{escaped}</msg>'


def write_block(tag: str, text: str, limit: int) -> str:
    escaped = cut_escaped(escape_text(text).strip(), limit)
    return f"<{tag}>{escaped}</{tag}>" if escaped else ""


def escape_text(text: str) -> str:
    """Text of others with nothing in it that could open or close a tag, or that a person would not see."""
    seen = INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").translate(LOOKALIKES))
    return seen.replace("&", "&amp;").replace("<", "&lt;")


def cut_escaped(text: str, limit: int) -> str:
    """Escaped text in at most `limit` characters: three parts of its beginning, one of its end, no entity halved."""
    if len(text) <= limit:
        return text
    room = max(limit - len(CUT), 0)
    head, tail = text[: room - room // 4], text[len(text) - room // 4 :]
    return (HALVED_END.sub("", head) + CUT + HALVED_START.sub("", tail))[:limit]


def share_out(lengths: list[int], budget: int) -> int:
    """The largest length to which all may be cut so that together they stay within `budget`."""
    cap = budget
    for place, length in enumerate(sorted(lengths)):
        cap = budget // (len(lengths) - place)
        if length > cap:
            return cap
        budget -= length
    return max(lengths, default=cap)
