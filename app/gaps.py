"""Questions without an answer, put together where they ask the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.gaps import Unanswered

ALIKE = 0.5
"""From this share of common words on two questions are one: twice the shared stems over the stems of both."""
MAX_WORDING = 300  # characters of a question as an article keeps it


@dataclass(frozen=True, slots=True)
class Gap:
    """A question that nothing was found for, by its newest wording, and all who asked it, newest first."""

    questions: Sequence[Unanswered]

    @property
    def newest(self) -> Unanswered:
        return self.questions[0]

    @property
    def conversations(self) -> list[UUID]:
        return list(dict.fromkeys(question.conversation_id for question in self.questions))

    @property
    def asked_at(self) -> datetime:
        return self.newest.asked_at

    @property
    def is_proposed(self) -> bool:
        return any(question.is_proposed for question in self.questions)

    @property
    def reply(self) -> str:
        """What a person answered to any of them, the newest; "" where nobody did."""
        return next((question.reply for question in self.questions if question.reply), "")

    @property
    def wordings(self) -> list[str]:
        """Each wording once, on one line."""
        lines = (" ".join(question.text.split())[:MAX_WORDING] for question in self.questions)
        return list(dict.fromkeys(line for line in lines if line))


def group_questions(questions: Iterable[Unanswered]) -> list[Gap]:
    """Questions by likeness, the ones asked by most conversations first.

    A question joins the group whose first question shares most words with it, from ALIKE on, in the same language; else
    it begins one. Words are compared by their stems, so that "export" and "exporting" are one.
    """
    groups: list[list[Unanswered]] = []
    for question in questions:
        best = max(groups, key=lambda group: share_words(group[0], question), default=None)
        if best is not None and share_words(best[0], question) >= ALIKE:
            best.append(question)
        else:
            groups.append([question])
    gaps = [Gap(group) for group in groups]
    return sorted(gaps, key=lambda gap: (len(gap.conversations), gap.asked_at), reverse=True)


def share_words(one: Unanswered, other: Unanswered) -> float:
    """How much two questions have in common, 0 to 1; 1 for the same text."""
    if one.text == other.text:
        return 1.0
    mine, theirs = set(one.stems), set(other.stems)
    if one.language != other.language or not mine or not theirs:
        return 0.0
    return 2 * len(mine & theirs) / (len(mine) + len(theirs))


def find_gap(gaps: Iterable[Gap], message_id: UUID) -> Gap | None:
    """The gap that a message is one of the questions of."""
    return next((gap for gap in gaps if any(question.message_id == message_id for question in gap.questions)), None)
