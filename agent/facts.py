"""The hard facts of a text in a comparable form: numbers with units, dates, links, addresses, labels, plan names."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from agent.words import fold

SOURCE = tomllib.loads((Path(__file__).parent / "fact_words.toml").read_text(encoding="utf-8"))
UNITS: dict[str, str] = {fold(word): unit for unit, words in SOURCE["units"].items() for word in words.split()}
NUMBER_WORDS: dict[str, str] = {
    fold(word): value for value, words in SOURCE["numbers"].items() for word in words.split()
}
MONTHS = {fold(word): int(month) for month, words in SOURCE["months"].items() for word in words.split()}
NOT_PLANS = frozenset(SOURCE["plans"]["not_names"].split())
LINK = re.compile(r"https?://[^\s<>\"')\]]+|\bwww\.[^\s<>\"')\]]+", re.IGNORECASE)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
TOP_DOMAINS = (
    "com|net|org|io|app|dev|example|de|fr|es|it|nl|pt|pl|eu|co|uk|ai|info|biz|me|xyz|site|online|shop|test|ru|cn|in"
    "|jp|tr"
)
BARE_HOST = re.compile(rf"\b(?:[a-z0-9-]+\.)+(?:{TOP_DOMAINS})\b(?:/[^\s<>\"')\]]*)?", re.IGNORECASE)
LIST_MARK = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+", re.MULTILINE)
CITATION = re.compile(r"\[?\bK\d{1,2}\b\]?")
NUMBER = re.compile(r"\d+(?:[.,:'\u00a0\u202f]\d+|(?<=\d) \d{3}(?!\d))*")
DIGIT_GROUPS = re.compile(r"\d{1,3}(?:[., '\u00a0\u202f]\d{3})+")
UNIT_AFTER = re.compile(r"[\s-]{0,2}(?:(?:business|working|more|full)\s)?([^\W\d_]+(?:\.m\.)?|[%$€£])")
UNIT_BEFORE = re.compile(r"([$€£]|\b(?:usd|eur|gbp))\s?$")
DAY_MONTH = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th|\.|er|º)?(?: de| di)? ([^\W\d_]{3,10})\b")
MONTH_DAY = re.compile(r"\b([^\W\d_]{3,10})\.? (\d{1,2})(?:st|nd|rd|th)?\b")
ISO_DAY = re.compile(r"\b\d{4}-(\d{2})-(\d{2})\b")
QUOTED = re.compile(
    r"\"([^\"\n]{2,80})\"|«\s*([^»\n]{2,80}?)\s*»|“([^”\n]{2,80})”|„([^“”\n]{2,80})[“”]|「([^」\n]{2,80})」"
    r"|\*\*([^*\n]{2,80})\*\*|`([^`\n]{2,80})`"
)
ARROWS = re.compile(r"\s*(?:->|[>→›»➜])\s*")
QUOTE_MARK = re.compile(r"^\s*>+\s?")
EDGE = "\"'*`“”«»„.,;:()"
PLAN = re.compile(
    r"\b([A-Z][A-Za-z]{2,20})[ -](?:[Pp]lan|[Tt]arif|[Aa]bonnement|[Tt]ier)\b"
    r"|\b(?:[Pp]lan|[Tt]arif|[Pp]iano|[Pp]lano|[Ff]orfait) ([A-Z][A-Za-z]{2,20})\b"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that must be supported: its kind, its comparable form, its unit ("" for none), and as written."""

    kind: str
    value: str
    unit: str
    written: str


def list_facts(text: str) -> list[Fact]:
    """Every hard fact of a text: number, date, link, email, label, path, plan. Digits of a link are not numbers."""
    facts = [Fact("link", normalise_link(link), "", link) for link in list_links(text)]
    facts += [Fact("email", fold(email), "", email) for email in EMAIL.findall(text)]
    rest = BARE_HOST.sub(" ", LINK.sub(" ", EMAIL.sub(" ", text)))
    return [*facts, *list_dates(rest), *list_numbers(rest), *list_names(rest)]


def list_links(text: str) -> list[str]:
    """The links of a text, with or without a scheme; an e-mail address is not one."""
    without_mail = EMAIL.sub(" ", text)
    found = LINK.findall(without_mail) + BARE_HOST.findall(LINK.sub(" ", without_mail))
    return [link.rstrip(".,;:!?") for link in found]


def normalise_link(link: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", link.casefold()).rstrip("/")


def host_of(link: str) -> str:
    """The host name of a link, lower case, without a port, a user or a leading www."""
    authority = re.split(r"[/?#\\]", re.sub(r"^https?://", "", link.casefold()), maxsplit=1)[0]
    return authority.rsplit("@", 1)[-1].split(":")[0].removeprefix("www.")


def list_numbers(text: str) -> Iterator[Fact]:
    """Numbers with the unit beside them; written-out ones too where a unit makes them a fact."""
    text = fold(CITATION.sub(" ", LIST_MARK.sub(" ", text)))
    for match in NUMBER.finditer(text):
        unit = find_unit(text, match.start(), match.end())
        yield Fact("number", normalise_number(match.group()), unit, match.group())
    for match in re.finditer(r"[^\W\d_]+", text):
        if match.group() in NUMBER_WORDS and (unit := find_unit(text, match.start(), match.end())):
            yield Fact("number", NUMBER_WORDS[match.group()], unit, match.group())


def normalise_number(written: str) -> str:
    """One form for 1,000 and 1.000 and 1 000, and one for 29.00 and 29; a time such as 9:05 stays a time."""
    if ":" in written:
        return written
    if DIGIT_GROUPS.fullmatch(written):
        return re.sub(r"\D", "", written).lstrip("0") or "0"
    plain = re.sub(r"[ '\u00a0\u202f]", "", written).replace(",", ".")
    whole, _, fraction = plain.rpartition(".") if plain.count(".") == 1 else (plain, "", "")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def find_unit(folded: str, start: int, end: int) -> str:
    """The unit right after a number, or the currency right before it; "" when there is none."""
    after = UNIT_AFTER.match(folded[end : end + 30])
    if after and after.group(1) in UNITS:
        return UNITS[after.group(1)]
    before = UNIT_BEFORE.search(folded[max(0, start - 5) : start])
    return UNITS[before.group(1)] if before else ""


def list_dates(text: str) -> Iterator[Fact]:
    """Days of a month, as "month-day"."""
    folded = fold(text)
    for match in DAY_MONTH.finditer(folded):
        if match.group(2) in MONTHS:
            yield Fact("date", f"{MONTHS[match.group(2)]}-{int(match.group(1))}", "", match.group())
    for match in MONTH_DAY.finditer(folded):
        if match.group(1) in MONTHS:
            yield Fact("date", f"{MONTHS[match.group(1)]}-{int(match.group(2))}", "", match.group())
    for match in ISO_DAY.finditer(folded):
        yield Fact("date", f"{int(match.group(1))}-{int(match.group(2))}", "", match.group())


def list_names(text: str) -> Iterator[Fact]:
    """Quoted labels, steps of a menu path, and names of plans."""
    for match in QUOTED.finditer(text):
        label = next(group for group in match.groups() if group)
        yield Fact("label", squeeze(label), "", label)
    for before, after in list_path_steps(text):
        yield Fact("path", f"{squeeze(before)}>{squeeze(after)}", "", f"{before} > {after}")
    for match in PLAN.finditer(text):
        name = match.group(1) or match.group(2)
        if name.casefold() not in NOT_PLANS:
            yield Fact("plan", fold(name), "", name)


def list_path_steps(text: str) -> list[tuple[str, str]]:
    """Neighbours in "Settings > Billing > Invoices": the last word before an arrow and the first one after it."""
    steps = []
    for line in text.splitlines():
        for before, after in pairwise(ARROWS.split(QUOTE_MARK.sub("", line))):
            left, right = before.split(), after.split()
            if left and right:
                steps.append((left[-1].strip(EDGE), right[0].strip(EDGE)))
    return steps


def squeeze(text: str) -> str:
    """Folded, arrows made equal, marks of emphasis gone, single spaces: how labels and paths are compared."""
    bare = re.sub(r"[*`_\"“”«»„]", "", ARROWS.sub(">", fold(text)))
    return " ".join(bare.split()).strip(" .,;:!?")
