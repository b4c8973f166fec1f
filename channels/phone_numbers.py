"""Phone numbers: each in the one form that all its spellings share, so that one person is one customer."""

import re

NUMBER = re.compile(r"\+[1-9][0-9]{5,14}")  # E.164
PUNCTUATION = re.compile(r"[\s()./-]")

BRAZILIAN_MOBILE = re.compile(r"\+55([1-9][0-9])([6-9][0-9]{7})")  # landlines begin with 2 to 5
ARGENTINIAN = re.compile(r"\+54([1-8][0-9]{9})")
MEXICAN_MOBILE = re.compile(r"\+521([2-9][0-9]{9})")


def unify_number(number: str) -> str:
    """The canonical form of an E.164 number; what is no such number comes back as it is.

    Three countries have changed how their mobiles are dialled, and WhatsApp keeps whichever form a number was
    registered in: Brazil's ninth digit (+55 11 9xxxx-xxxx is canonical), Argentina's 9 after the country code (+54 9
    is canonical), Mexico's 1 (+52 without it is canonical).
    """
    for form, canonical in (
        (BRAZILIAN_MOBILE, r"+55\g<1>9\2"),
        (ARGENTINIAN, r"+549\1"),
        (MEXICAN_MOBILE, r"+52\1"),
    ):
        if match := form.fullmatch(number):
            return match.expand(canonical)
    return number


def list_spellings(number: str) -> list[str]:
    """Every form in which WhatsApp may know a number, canonical or not; the canonical one comes first."""
    canonical = unify_number(number)
    others = [
        re.sub(r"^\+55([1-9][0-9])9([6-9][0-9]{7})$", r"+55\1\2", canonical),
        re.sub(r"^\+549([1-8][0-9]{9})$", r"+54\1", canonical),
        re.sub(r"^\+52([2-9][0-9]{9})$", r"+521\1", canonical),
    ]
    return [canonical, *(other for other in others if other != canonical)]


def read_number(text: str) -> str | None:
    """The canonical number in what somebody typed or copied, also with whatsapp: before it; None where there is none.

    The + may be missing: unescaped in a query it arrives as a space.
    """
    number = "+" + PUNCTUATION.sub("", text.strip().removeprefix("whatsapp:")).lstrip("+")
    return unify_number(number) if NUMBER.fullmatch(number) else None
