"""What the rules and word lists see in a message, under names that mean the same in every language.

A sign alone decides nothing; a learner weighs it. A reason's own name says that one of its rules fired, its name with a
question mark that more of its weaker words occur than of any other reason's.
"""

from agent.policy import REASONS, Reader, choose_languages, find_escalations, join_lines, load_rule
from agent.routing import count_word_votes

ENOUGH_HINTS = {"en": 2}
"""How many different weak words make a sign; one where a list is short and its words are long."""


def list_signs(text: str, language: str) -> list[str]:
    """For instance "billing_dispute", "legal?", "information", "own_case", "question", "words:billing"; none twice."""
    reader = Reader(join_lines(text), *choose_languages(text, language))
    signs = [escalation.reason for escalation in find_escalations(text, language)]
    signs += [f"{reason}?" for reason in find_hinted(reader)]
    signs += describe_asking(reader)
    votes = count_word_votes(text, language)
    signs += [f"words:{category}" for category, share in votes.items() if share]
    return signs + [f"words:{category}!" for category, share in votes.items() if share > 0.5]


def find_hinted(reader: Reader) -> list[str]:
    """The reasons that most of the weak words speak for."""
    counts = {reason: count_hints(reader, reason) for reason in REASONS}
    most = max(counts.values())
    enough = ENOUGH_HINTS.get(reader.likely[0], 1) if reader.likely else 1
    return [reason for reason, count in counts.items() if count == most >= enough]


def count_hints(reader: Reader, reason: str) -> int:
    """How many different weak words of one reason occur."""
    found = {match.group() for code in reader.likely for match in load_rule(reason, code).hint.finditer(reader.lines)}
    return len(found)


def describe_asking(reader: Reader) -> list[str]:
    """Whether a sentence asks for information, one names a case of the customer's own, and one only asks."""
    lines = reader.lines.splitlines()
    judged = {
        "information": any(reader.is_information(line) for line in lines),
        "own_case": any(reader.names_case(line) for line in lines),
        "question": any(reader.is_question(line) for line in lines),
    }
    return [name for name, holds in judged.items() if holds]
