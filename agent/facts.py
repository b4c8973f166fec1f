"""The hard facts of a text in a comparable form: numbers with units, dates, links, addresses, labels, plan names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest

from agent.days import ALWAYS, list_dates
from agent.fact_words import SOURCE
from agent.fact_words import Fact as Fact
from agent.number_words import NumberWords
from agent.words import CJK, fold

UNITS: dict[str, str] = {fold(word): unit for unit, words in SOURCE["units"].items() for word in words.split()}
NUMBER_WORDS = NumberWords(
    {fold(word): int(value) for value, words in SOURCE["numbers"].items() for word in words.split()}
)
COUNTED = 13
"""From here on a number in words states how many, whatever it stands before; nobody writes "thirteen" idly."""
ROUND = (100, 1000)
PERIODS: frozenset[str] = frozenset(("second", "minute", "hour", "day", "week", "month", "year"))
CURRENCIES = frozenset(("dollar", "euro", "pound"))
SIZES = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte")
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
HALVES = [
    (value, unit, re.compile(rf"\b(?:{'|'.join(map(re.escape, map(fold, phrases)))})\b"))
    for value, unit, phrases in SOURCE["halves"]["times"]
]
LASTING = re.compile(
    r"\b(?:within|for|up to|after|innerhalb|binnen|nach|fur|pendant|apres|jusqu'a|durante|hasta|dopo|entro|na) $"
)
CAPPED = re.compile(
    r" (?:at most|at the most|or less|maximum|hochstens|au plus|au maximum|como maximo|no maximo|al massimo)\b"
)
DIGIT_GROUPS = re.compile(r"\d{1,3}(?:[., '\u00a0\u202f]\d{3})+")
IN_A_ROW = re.compile(r"(?:, ?| ?[-–] ?|,? (?:and|or|to|und|oder|bis|et|ou|à|y|o|a|e|en|of|tot|i|lub|do) )")
"""What stands between numbers that share their unit."""
UNIT_AFTER = re.compile(r"[\s-]{0,2}(?:(?:business|working|more|full|us)[\s-])?([^\W\d_]+(?:\.m\.)?|[%$€£])")
UNIT_BEFORE = re.compile(r"([$€£]|\b(?:usd|eur|gbp))\s?$")
QUOTED = re.compile(
    r"\"([^\"\n]{2,80})\"|«\s*([^»\n]{2,80}?)\s*»|“([^”\n]{2,80})”|„([^“”\n]{2,80})[“”]|「([^」\n]{2,80})」"
    r"|\*\*([^*\n]{2,80})\*\*|`([^`\n]{2,80})`"
)
ARROWS = re.compile(r"\s*(?:->|[>→›»➜])\s*")
GUILLEMETS = re.compile(r"«([^«»\n]{1,80})»|»([^«»\n]{1,80})«|‹([^‹›\n]{1,80})›|›([^‹›\n]{1,80})‹")
QUOTE_MARK = re.compile(r"^\s*>+\s?")
EDGE = "\"'*`“”«»„.,;:()"
PLAN = re.compile(
    r"\b([A-Z][A-Za-z]{2,20})[ -](?:[Pp]lan|[Tt]arif|[Aa]bonnement|[Tt]ier)\b"
    r"|\b(?:[Pp]lan|[Tt]arif|[Pp]iano|[Pp]lano|[Ff]orfait) ([A-Z][A-Za-z]{2,20})\b"
)


def list_facts(text: str) -> list[Fact]:
    """Every hard fact of a text: number, date, link, email, label, path, plan. Digits of a link are not numbers."""
    facts = [Fact("link", normalise_link(link), "", link) for link in list_links(text)]
    facts += [Fact("email", fold(email), "", email) for email in EMAIL.findall(text)]
    rest = BARE_HOST.sub(" ", LINK.sub(" ", EMAIL.sub(" ", text)))
    return [*facts, *list_dates(rest), *list_numbers(ALWAYS.sub(" ", rest)), *list_single(rest), *list_names(rest)]


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


def locate_numbers(text: str, *, is_loose: bool = False) -> list[Placed]:
    """The numbers of a text in order, as digits or, before a unit or where they count, as words; loosely as all."""
    placed = []
    for match in NUMBER.finditer(text):
        unit = find_unit(text[max(0, match.start() - 6) : match.start()], text[match.end() : match.end() + 30])
        fact = Fact("number", normalise_number(match.group()), unit, match.group())
        placed.append(Placed(match.start(), match.end(), fact))
    for start, end, value in NUMBER_WORDS.locate(text):
        unit = find_unit("", text[end : end + 30])
        is_counted = value >= COUNTED and value not in ROUND and text[end : end + 1] != "-"
        if unit not in ("", "any") or is_counted or is_loose:
            placed.append(Placed(start, end, Fact("number", str(value), unit, text[start:end])))
    placed.sort(key=lambda number: number.start)
    return placed if is_loose else spread_units(placed, text)


def spread_units(placed: list[Placed], text: str) -> list[Placed]:
    """Numbers in a row share the unit of the last: of "3, 5 and 7 days" all three are days."""
    spread = placed[-1:]
    for number in placed[-2::-1]:
        fact, after = number.fact, spread[0]
        if fact.unit in ("", "any") and IN_A_ROW.fullmatch(text[number.end : after.start]):
            number = replace(number, fact=replace(fact, unit=after.fact.unit))
        spread.insert(0, number)
    return spread


def list_single(text: str, *, is_loose: bool = False) -> Iterator[Fact]:
    """Times of one: "within an hour", "a minute at most". Loosely also those of which nothing says that they last."""
    folded = fold(text)
    yield from list_halves(folded)
    for match in ONE.finditer(folded):
        unit = UNITS.get(match.group(1), "")
        before = folded[max(0, match.start() - 24) : match.start()]
        lasts = is_loose or LASTING.search(before) or CAPPED.match(folded, match.end())
        if unit in PERIODS and lasts:
            yield Fact("number", "1", unit, match.group())


def list_halves(folded: str) -> Iterator[Fact]:
    """Half hours, days and years, in units that are whole."""
    for value, unit, pattern in HALVES:
        yield from (Fact("number", value, unit, match.group()) for match in pattern.finditer(folded))


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


def list_names(text: str) -> Iterator[Fact]:
    """Quoted labels, steps of a menu path, and names of plans."""
    for match in QUOTED.finditer(GUILLEMETS.sub(straighten, text)):
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
        for before, after in pairwise(ARROWS.split(GUILLEMETS.sub(straighten, QUOTE_MARK.sub("", line)))):
            left, right = before.split(), after.split()
            if left and right:
                steps.append((left[-1].strip(EDGE), right[0].strip(EDGE)))
    return steps


def straighten(quoted: re.Match[str]) -> str:
    """A label between guillemets, whose ends are no arrows, between straight quotes."""
    label = next(group for group in quoted.groups() if group)
    return f'"{label.strip()}"'


def squeeze(text: str) -> str:
    """Folded, arrows made equal, marks of emphasis gone, single spaces: how labels and paths are compared."""
    bare = re.sub(r"[*`_\"“”«»„]", "", ARROWS.sub(">", GUILLEMETS.sub(straighten, fold(text))))
    return " ".join(bare.split()).strip(" .,;:!?")
