"""The part of a conversation's page that asks whether its customer is somebody we know as another one, too."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from app.forms import SentForm, check_line, compose, drop_blank
from channels.phone_numbers import read_number
from db.merges import Candidate, Merge, list_candidates, list_merges
from db.pool import Connection
from db.threads import Entry, Thread

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
NUMBER = re.compile(r"(?<![\w+])\+[0-9][0-9 ()./-]{4,24}[0-9]")
MOST_READ = 50
"""Of the customer's messages, the newest: of each the first MOST_LETTERS are searched for addresses."""
MOST_LETTERS = 2_000
MOST_MENTIONED = 20


def read_other(text: str) -> str:
    """Whom somebody means: an address or number in the one form it is known by, or a ticket's reference."""
    line = check_line(text)
    return line.lower() if "@" in line else read_number(line) or line


Line = Annotated[str, BeforeValidator(compose), Field(max_length=254), AfterValidator(read_other)]
Reason = Annotated[str, BeforeValidator(compose), Field(max_length=500), AfterValidator(check_line)]


class MergeProposal(SentForm):
    """That the customer is the same person as whoever has another address or ticket."""

    other: Line
    reason: Annotated[Reason | None, BeforeValidator(drop_blank)] = None


@dataclass(frozen=True, slots=True)
class SamePerson:
    """What was said about the customer and others, newest first, and who else they may be."""

    merges: tuple[Merge, ...] = ()
    candidates: tuple[Candidate, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether somebody has to decide."""
        return any(merge.state == "proposed" for merge in self.merges)


async def load_same_person(conn: Connection, thread: Thread, entries: list[Entry]) -> SamePerson:
    """Empty as long as no turn has taken the conversation up: nobody knows yet whose it is."""
    if thread.customer_id is None:
        return SamePerson()
    mentioned = list_mentioned(entry.text for entry in reversed(entries) if entry.author == "customer")
    return SamePerson(
        tuple(await list_merges(conn, thread.customer_id)),
        tuple(await list_candidates(conn, thread.customer_id, mentioned)),
    )


def list_mentioned(texts: Iterable[str]) -> list[str]:
    """E-mail addresses and international numbers in these texts, each once, as identifiers are written."""
    found: dict[str, None] = {}
    for _, text in zip(range(MOST_READ), texts, strict=False):
        start = text[:MOST_LETTERS]
        numbers = [read_number(written) for written in NUMBER.findall(start)]
        found |= dict.fromkeys(address.lower() for address in EMAIL.findall(start))
        found |= dict.fromkeys(number for number in numbers if number)
    return list(found)[:MOST_MENTIONED]
