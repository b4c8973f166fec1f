"""What came with a message and nobody here can read: said to the customer, noted for a model and for a colleague."""

from typing import Any

from agent.brief import Brief
from agent.handoff import choose_urgency, quote_burst
from agent.phrases import choose_language, is_phrase, say

NAMES = {"image": "image", "audio": "voice message", "video": "video", "file": "file"}
QUESTIONS = ("unread_ask", "not_found", "not_solved", "clarify")
"""After one of these the customer was asked once, which is enough: what they send next is the answer."""


def name_unread(brief: Brief) -> str:
    """What came along, each kind once, in order: "image, voice message"."""
    return ", ".join(NAMES[kind] for kind in list_kinds(brief))


def list_kinds(brief: Brief) -> list[str]:
    """What came along, each kind once."""
    return list(dict.fromkeys(kind if kind in NAMES else "file" for kind in brief.unread))


def say_unread(brief: Brief) -> str:
    """What came, that it cannot be read here, and what the customer can do."""
    return say_unseen(brief) + say("unread_ask", brief.assessment.language)


def say_unseen(brief: Brief) -> str:
    """That what came along cannot be read here, a line for each kind; "" where everything was read."""
    return "".join(say(f"unread_{kind}", brief.assessment.language) + "\n" for kind in list_kinds(brief))


def needs_person(brief: Brief) -> bool:
    """Whether asking for words is not enough: our last word was a question already, or a person is wanted."""
    return has_asked(brief) or bool(brief.assessment.escalations)


def has_asked(brief: Brief) -> bool:
    """Whether our last word was one of our fixed questions."""
    return any(is_phrase(question, find_last_reply(brief)) for question in QUESTIONS)


def find_last_reply(brief: Brief) -> str:
    """What we said last, "" at the beginning."""
    return next((line.text for line in reversed(brief.history) if line.author != "customer"), "")


def choose_call(brief: Brief, *, was_refused: bool) -> tuple[str, dict[str, Any]]:
    """The tool that answers a burst of nothing but unread things, and its arguments."""
    language = brief.assessment.language
    if not was_refused and not needs_person(brief):
        return "send_response", {
            "body": say_unread(brief),
            "citations": [],
            "kind": "clarifying_question",
            "resolves": False,
            "language": choose_language("unread_ask", language),
        }
    return "escalate_to_human", {
        "category": brief.assessment.category,
        "reason_code": "no_answer",
        "priority": choose_urgency(brief),
        "handoff_note": f"{note_unread(brief)} They sent: {quote_burst(brief)}",
        "customer_message": say("escalated_unread", language),
    }


def note_unread(brief: Brief) -> str:
    """For a colleague; "" where the agent could read everything."""
    unread = name_unread(brief)
    return f"They also sent what the agent cannot see or hear: {unread}." if unread else ""
