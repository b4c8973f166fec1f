"""Cards, accounts and telephone numbers."""

import re
from collections.abc import Iterator

from agent.privacy_checks import is_card, is_iban
from agent.privacy_rules import NUMBER_START, START, Finder, Span, keep_digits, keep_signs, match_values

RUN = re.compile(r"[0-9](?:[\s.\-]{0,2}[0-9]){12,}")
GROUP = re.compile(r"[0-9]+")
GLUED = re.compile(r"[A-Za-z_+]")
CARD_LENGTHS = range(13, 20)
CARD_LAYOUT = re.compile(r"(?:4,){2,4}[1-4],|4,6,[45],")
"""How many digits stand together on a card, and so where one begins in a longer row of numbers."""

IBAN_LENGTHS: dict[str, int] = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
ACCOUNT = re.compile(rf"{START}([A-Z]{{2}})[0-9]{{2}}(?:[\s-]?[0-9A-Z]){{11,29}}", re.IGNORECASE)

CALL_WORDS = (
    r"(?:phone|telephone|tel|mobile|cell|whatsapp|fax|call(?: me)?|text me|telefon\w{0,7}|handy\w{0,7}|mobil\w{0,7}"
    r"|rufnummer|téléphone|portable|appele[zr]|gsm|teléfono|móvil|celular|llám\w{0,6}|telefone|telemóvel|cellulare"
    r"|telefono|telefoon\w{0,7}|komórk\w{0,3}|телефон\w{0,3}|电话|手机|電話|携帯|फ़ोन|फोन|मोबाइल|هاتف|جوال|numéro|wa\.me/)"
)
MONEY = r"[ ]?(?:[€$£₹%]|eur\b|usd\b|gbp\b|chf\b|inr\b|brl\b|zł|kr\b|euro|dollar)"
REST = r"(?![0-9]|[.,:][0-9])"
DAY = re.compile(r"[0-9]{1,2}[ ./-][0-9]{1,2}[ ./-](?:[0-9]{2}|[0-9]{4})|[0-9]{4}[ ./-][0-9]{1,2}[ ./-][0-9]{1,2}")
DOTTED = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,5}){1,3}|[0-9]{1,2}(?:[ .][0-9]{3}){2}")
"""Versions and amounts of up to eight digits, as a number may look beside a word for a telephone."""


def find_cards(text: str, start: int, end: int) -> Iterator[Span]:
    """Whole groups of digits that make up a card number, also with its date or other numbers after it."""
    for run in RUN.finditer(text, start, end):
        groups = [match.span() for match in GROUP.finditer(text, *run.span())]
        if GLUED.match(text[run.start() - 1 : run.start()]):
            groups = groups[1:]
        if groups and GLUED.match(text[run.end() : run.end() + 1]):
            groups = groups[:-1]
        yield from find_cards_among(text, groups)


def find_cards_among(text: str, groups: list[Span]) -> Iterator[Span]:
    at = 0
    while at < len(groups):
        after = find_card_end(text, groups, at)
        if after:
            yield groups[at][0], groups[after - 1][1]
        at = after or at + 1


def find_card_end(text: str, groups: list[Span], at: int) -> int:
    """The place after the last group of the card that begins with group `at`; 0 where none begins there."""
    digits = layout = ""
    for after in range(at + 1, len(groups) + 1):
        group = text[slice(*groups[after - 1])]
        digits, layout = digits + group, f"{layout}{len(group)},"
        if len(digits) >= CARD_LENGTHS.stop:
            return 0
        stands_alone = after == at + 1 or after - at == len(groups) or CARD_LAYOUT.fullmatch(layout)
        if len(digits) in CARD_LENGTHS and stands_alone and is_card(digits):
            return after
    return 0


def find_ibans(text: str, start: int, end: int) -> Iterator[Span]:
    """Account numbers in any grouping, as long as their country makes them."""
    for match in ACCOUNT.finditer(text, start, end):
        length = find_iban_end(match[0], IBAN_LENGTHS.get(match[1].upper(), 0))
        if length:
            yield match.start(), match.start() + length


def find_iban_end(text: str, length: int) -> int:
    """Where the first `length` letters and digits end, if they make an account number and a word ends there, else 0."""
    places = [place for place, sign in enumerate(text, start=1) if sign.isalnum()]
    if not length or len(places) < length:
        return 0
    end = places[length - 1]
    is_cut = text[end : end + 1].isalnum()
    return end if not is_cut and is_iban(keep_signs(text[:end])) else 0


def is_number_to_call(text: str) -> bool:
    return not DAY.fullmatch(text) and not DOTTED.fullmatch(text)


def is_trunk_number(text: str) -> bool:
    """Eight digits are enough with something between them, nine without: so many has an order number too."""
    digits = keep_digits(text)
    return not DAY.fullmatch(text) and len(digits) >= (9 if text.isdigit() else 8)


PHONES: tuple[Finder, ...] = (
    match_values(r"(?<![A-Za-z0-9_+])\+\(?[1-9](?:[ ().\-/]{0,3}[0-9]){6,14}(?![0-9])"),
    match_values(rf"{NUMBER_START}00[1-9](?:[ ().\-/]{{0,3}}[0-9]){{8,13}}{REST}"),
    match_values(
        rf"(?<!/){NUMBER_START}(?:\(0[1-9][0-9]{{0,4}}\)|0[1-9])(?:[ ().\-/]{{0,2}}[0-9]){{6,10}}{REST}",
        is_trunk_number,
    ),
    # North America, then a code in brackets, then Brazil and India
    match_values(
        rf"{NUMBER_START}(?:1[ .\-]{{1,2}})?"
        rf"(?:\([2-9][0-9]{{2}}\) ?|[2-9][0-9]{{2}}[ .\-])[0-9]{{3}}[ .\-][0-9]{{4}}{REST}"
    ),
    match_values(rf"{NUMBER_START}\([0-9]{{2,5}}\)[ \-]?[0-9]{{3,5}}[ \-]?[0-9]{{3,5}}{REST}"),
    match_values(rf"{NUMBER_START}(?:[1-9][0-9] 9[0-9]{{4}}[ \-][0-9]{{4}}|[6-9][0-9]{{4}}[ \-][0-9]{{5}}){REST}"),
    match_values(
        rf"(?<![A-Za-z]){CALL_WORDS}(?![A-Za-z])[^0-9\n<>/]{{0,20}}"
        rf"(?P<value>[0-9](?:[ ().\-/]{{0,2}}[0-9]){{6,14}}){REST}(?!{MONEY})",
        is_number_to_call,
    ),
)
"""Where telephone numbers stand."""
