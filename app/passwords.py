"""Passwords: which are taken, and what is kept of them."""

import asyncio
import re
import string
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.problems import Problem

Result = TypeVar("Result")

MIN_LENGTH = 12  # characters, as below
MAX_LENGTH = 200
LEAST_OWN = 6
"""Characters that must be left once all that anybody would try first is taken out."""
LEAST_DIFFERENT = 4
MAX_WAITING = 20
"""Hashes that may wait for their turn, each of about a tenth of a second."""
ROWS = (
    string.ascii_lowercase, "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop",
    "1q2w3e4r5t6y7u8i9o0p", "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)  # fmt: skip
WORDS = (
    "password", "passwort", "passphrase", "secret", "letmein", "welcome", "changeme", "default", "administrator",
    "admin", "login", "iloveyou", "dragon", "monkey", "football", "baseball", "princess", "sunshine", "master",
    "shadow", "superman", "batman", "trustno", "whatever", "hello", "summer", "winter", "spring", "autumn", "support",
    "helpdesk", "deskhand", "company", "please", "pass", "user", "test",
)  # fmt: skip
LOOKALIKES = str.maketrans("@4301!$57", "aaeoiisst")
YEAR = re.compile(r"(?:19|20)\d\d")
REPEATED = re.compile(r"(.+?)\1+")


def cut_rows(shortest: int = 3) -> list[str]:
    """Every piece of the rows in both directions, the longest first."""
    both = [row for line in ROWS for row in (line, line[::-1])]
    pieces = {row[i:j] for row in both for i in range(len(row)) for j in range(i + shortest, len(row) + 1)}
    return sorted(pieces, key=len, reverse=True)


PIECES = cut_rows()


def compose(password: str) -> str:
    """The same bytes for the same characters, however a keyboard makes them."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, *, email: str, company: str) -> str:
    """The password. Raises ValueError, in words for the person, when it is one that others would guess."""
    password = compose(password)
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ValueError(f"Please use {MIN_LENGTH} to {MAX_LENGTH} characters.")
    if not password.isprintable():
        raise ValueError("Please use one line without control characters.")
    left = take_out_known(password.casefold(), [email, *split_names(email), *split_names(company)])
    if len(left) < LEAST_OWN or len(set(left)) < LEAST_DIFFERENT:
        raise ValueError("This is too easy to guess. Four unrelated words make a good password.")
    return password


def split_names(text: str) -> list[str]:
    """The words of an e-mail or a name that are long enough to be recognised."""
    return [word for word in re.split(r"[\W_]+", text.casefold()) if len(word) >= 3]


def take_out_known(text: str, names: list[str]) -> str:
    """What is left of a lower-case text without names, well-known words, years, rows of keys and repetitions."""
    for word in sorted({*names, *WORDS}, key=len, reverse=True):
        text = take_out(text, word)
    text = YEAR.sub("", text)
    for piece in PIECES:
        text = text.replace(piece, "")
    return REPEATED.sub(r"\1", text)


def take_out(text: str, word: str) -> str:
    """The text without a word, also where digits and signs stand for its letters."""
    while (at := max(text.find(word), text.translate(LOOKALIKES).find(word.translate(LOOKALIKES)))) >= 0:
        text = text[:at] + text[at + len(word) :]
    return text


class Passwords:
    """Hashes passwords one at a time, off the event loop: each takes 64 MiB, and a flood must not take it all."""

    def __init__(self) -> None:
        self.hasher = PasswordHasher()  # the library's own choice of Argon2id, second of RFC 9106
        self.turn = asyncio.Semaphore(1)
        self.waiting = 0

    async def hash(self, password: str) -> str:
        """What to keep of a password. Raises the 503 Problem when too many wait for their turn."""
        return await self.take_turn(lambda: self.hasher.hash(compose(password)))

    async def is_right(self, password: str, kept: str | None) -> bool:
        """Whether this is the password; without one to compare with it takes as long. Raises as `hash`."""
        given = compose(password)[: MAX_LENGTH + 1]  # longer is wrong whatever it says

        def verify() -> bool:
            if kept is None:
                self.hasher.hash(given)
                return False
            try:
                return self.hasher.verify(kept, given)
            except (VerificationError, InvalidHashError):
                return False

        return await self.take_turn(verify)

    async def take_turn(self, work: Callable[[], Result]) -> Result:
        if self.waiting >= MAX_WAITING:
            raise Problem(503, "Too many people log in at once. Please try again.", headers={"Retry-After": "3"})
        self.waiting += 1
        try:
            async with self.turn:
                return await asyncio.to_thread(work)
        finally:
            self.waiting -= 1
