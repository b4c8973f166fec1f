"""What was said in a conversation before: what an answer must not repeat, and what a message leans on."""

from agent.asked import corrects, leans_back, write_keywords
from agent.assess import says_it_failed
from agent.brief import Brief
from agent.queries import list_keywords
from agent.unread import find_last_reply
from agent.words import fold


def was_said(brief: Brief, body: str, *, whole: bool = False) -> bool:
    """Whether we said this before, as a part of a message or as a whole one."""
    said = [fold(line.text) for line in brief.history if line.author == "agent"]
    return any(fold(body) == earlier if whole else fold(body) in earlier for earlier in said)


def failed_before(brief: Brief) -> bool:
    """Whether the customer said in an earlier message that something did not help."""
    earlier = (line.text for line in brief.history if line.author == "customer")
    return any(says_it_failed(text, brief.assessment.language) for text in earlier)


def asks_again(brief: Brief) -> bool:
    """Whether the customer only repeats what they asked before."""
    earlier = " ".join(line.text for line in brief.history if line.author == "customer")
    words = set(list_keywords(brief.words).split())
    return bool(words) and words <= set(list_keywords(earlier).split())


def join_with_earlier(brief: Brief) -> str:
    """The telling words of a message with those of the one before, as one search; "" where it needs none of them."""
    earlier = [line.text for line in brief.history if line.author == "customer"][-1:]
    if not earlier or not find_last_reply(brief) or not (leans_back(brief.words) or corrects(brief.words)):
        return ""
    return " ".join(dict.fromkeys(f"{write_keywords(earlier[0], '')} {write_keywords(brief.words, '')}".split()))
