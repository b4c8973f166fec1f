"""The hard facts of a text in a comparable form: numbers with units, dates, links, addresses, labels, plan names."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path

from agent.words import CJK, fold

SOURCE = tomllib.loads((Path(__file__).parent / "fact_words.toml").read_text(encoding="utf-8"))
UNITS: dict[str, str] = {fold(word): unit for unit, words in SOURCE["units"].items() for word in words.split()}
NUMBER_WORDS: dict[str, str] = {
    fold(word): value for value, words in SOURCE["numbers"].items() for word in words.split()
}
WEEKDAYS = {fold(word): day for day, words in SOURCE["weekdays"].items() for word in words.split()}
PERIODS: frozenset[str] = frozenset(("second", "minute", "hour", "day", "week", "month", "year"))
CURRENCIES = frozenset(("dollar", "euro", "pound"))
MONTHS = {fold(word): int(month) for month, words in SOURCE["months"].items() for word in words.split()}
RATE_WORDS: dict[str, str] = {fold(word): unit for unit, words in SOURCE["rates"].items() for word in words.split()}
RATE_AFTER = re.compile(r"\s[^\W\d_]+(?:\s[^\W\d_]+)?\s(?:per|a|an|each|pro|je|par|por|al|by)\s([^\W\d_]+)")
BOUNDS: dict[str, re.Pattern[str]] = {
    name: re.compile(rf"(?:^|\W)(?:{'|'.join(re.escape(fold(words)) for words in phrases)})[^\w]{{1,3}}$")
    for name, phrases in SOURCE["bounds"].items()
}
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
ONE = re.compile(r"\b(?:an?|one|eine[rnm]?|une?|un[ao]?|um|uma|een) ([^\W\d_]{3,9})\b")
LASTING = re.compile(
    r"\b(?:within|for|up to|after|innerhalb|binnen|nach|fur|pendant|apres|jusqu'a|durante|hasta|dopo|entro|na) $"
)
CAPPED = re.compile(
    r" (?:at most|at the most|or less|maximum|hochstens|au plus|au maximum|como maximo|no maximo|al massimo)\b"
)
DIGIT_GROUPS = re.compile(r"\d{1,3}(?:[., '\u00a0\u202f]\d{3})+")
UNIT_AFTER = re.compile(r"[\s-]{0,2}(?:(?:business|working|more|full|us)[\s-])?([^\W\d_]+(?:\.m\.)?|[%$€£])")
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
    return [*facts, *list_dates(rest), *list_numbers(rest), *list_single(rest), *list_names(rest)]


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


@dataclass(frozen=True, slots=True)
class Placed:
    """A number and where it stands."""

    start: int
    end: int
    fact: Fact


def list_hosts(text: str) -> list[tuple[str, str]]:
    """Each link and e-mail address of a text as written, with its host."""
    links = [(link, host_of(link)) for link in list_links(text)]
    return links + [(email, email.rsplit("@", 1)[-1].casefold()) for email in EMAIL.findall(text)]


def list_numbers(text: str) -> Iterator[Fact]:
    """Numbers with the unit beside them; written-out ones too where a unit makes them a fact. Prices also with their
    period, and limits with their direction."""
    bare = CITATION.sub(" ", LIST_MARK.sub(" ", text))
    placed = locate_numbers(bare)
    for number, after in zip_longest(placed, placed[1:]):
        fact = number.fact
        yield fact
        rest = bare[number.end : after.start if after else len(bare)]
        period = find_period(rest) if fact.unit in CURRENCIES else find_rate(rest)
        if period:
            yield Fact("rate", f"{fact.value} {fact.unit}".strip(), period, f"{fact.written} a {period}")
        bound = find_bound(fold(bare[max(0, number.start - 24) : number.start]))
        if bound:
            yield Fact("bound", f"{fact.value} {fact.unit}", bound, f"{bound} {fact.written}")


def locate_numbers(text: str) -> list[Placed]:
    """The numbers of a text in order, as digits or, before a unit, as words."""
    placed = []
    for match in NUMBER.finditer(text):
        unit = find_unit(text[max(0, match.start() - 6) : match.start()], text[match.end() : match.end() + 30])
        fact = Fact("number", normalise_number(match.group()), unit, match.group())
        placed.append(Placed(match.start(), match.end(), fact))
    for match in re.finditer(r"[^\W\d_]+", text):
        value = NUMBER_WORDS.get(fold(match.group()))
        unit = find_unit("", text[match.end() : match.end() + 30]) if value else ""
        if value and unit not in ("", "any"):
            placed.append(Placed(match.start(), match.end(), Fact("number", value, unit, match.group())))
    return sorted(placed, key=lambda number: number.start)


def list_single(text: str, *, is_loose: bool = False) -> Iterator[Fact]:
    """Times of one: "within an hour", "a minute at most". Loosely also those of which nothing says that they last."""
    folded = fold(text)
    for match in ONE.finditer(folded):
        unit = UNITS.get(match.group(1), "")
        before = folded[max(0, match.start() - 24) : match.start()]
        lasts = is_loose or LASTING.search(before) or CAPPED.match(folded, match.end())
        if unit in PERIODS and lasts:
            yield Fact("number", "1", unit, match.group())


def find_period(after: str) -> str:
    """What a price is for: the first month, year, day named within a few words after it; "" when none is."""
    for word in re.findall(r"[^\W\d_]+", fold(re.split(r"[.;!?\n]", after[:50])[0])):
        unit: str = UNITS.get(word, RATE_WORDS.get(word, ""))
        if unit in PERIODS:
            return unit
    return ""


def find_rate(after: str) -> str:
    """What a count is for: "minute" in "600 requests per minute"; "" when nothing is."""
    match = RATE_AFTER.match(fold(after))
    unit = UNITS.get(match.group(1), "") if match else ""
    return unit if unit in PERIODS else ""


def find_bound(folded_before: str) -> str:
    """Whether a number is said to be the most or the least; folded_before: what stands before it."""
    for name, pattern in BOUNDS.items():
        if pattern.search(folded_before):
            return name
    return ""


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


def find_unit(before: str, after: str) -> str:
    """The unit right after a number, or the currency right before it; "" before another word, "any" before none."""
    found = UNIT_AFTER.match(fold(after))
    for word in list_beginnings(found.group(1)) if found else ():
        if word in UNITS:
            return UNITS[word]
    money = UNIT_BEFORE.search(fold(before))
    if money:
        return UNITS[money.group(1)]
    return "" if found else "any"


def list_beginnings(word: str) -> list[str]:
    """A word, and where words are glued together (Chinese, Japanese) its first characters too, longest first."""
    return [word, *(word[:length] for length in (3, 2, 1))] if CJK.match(word) else [word]


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
    for word in re.findall(r"[^\W\d_]+", folded):
        if word in WEEKDAYS:
            yield Fact("weekday", WEEKDAYS[word], "", word)


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
