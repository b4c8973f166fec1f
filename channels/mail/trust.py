"""Whether a receiver of ours found that the domain in From stands behind a mail (RFC 8601, RFC 7489)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from channels.mail.fields import list_values, strip_comments
from channels.mail.parsed import ParsedMail

QUOTED = r'"(?:[^"\\]|\\.)*"'
SECTION = re.compile(rf'((?:{QUOTED}|[^;"])*)(?:;|$)')
RECEIVER = re.compile(rf'\s*({QUOTED}|[^\s=";/]+)(?:\s+(\d+))?\s*')
PAIR = re.compile(rf'\s*([a-z][\w-]*(?:\s*[./]\s*[\w-]+)*)\s*=\s*((?:{QUOTED}|[^\s"])+)', re.IGNORECASE)
MAX_RESULTS = 4_000  # characters; a longer header may have been cut, and with it what speaks against the sender
ENVELOPE = {"smtp.mailfrom", "smtp.mail", "smtp.from", "smtp.helo"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check and what came out."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...]
    """(type.name in lower case, value) in their order, the reason among them."""


@dataclass(frozen=True, slots=True)
class Results:
    """One Authentication-Results header."""

    receiver: str
    """The authserv-id in lower case: who checked."""
    verdicts: tuple[Verdict, ...]


def is_domain_proven(mail: ParsedMail, domain: str, receivers: frozenset[str]) -> bool:
    """Whether the topmost Authentication-Results is by one of `receivers` and says dmarc=pass for exactly `domain`.

    A receiver writes its results above all that came in, so those further down may be anybody's. ARC counts for
    nothing: it repeats what a server says that is not ours.
    """
    headers = list_values(mail, "authentication-results")
    results = parse_results(headers[0]) if headers else None
    if results is None or results.receiver not in receivers or not is_sound(results):
        return False
    passed = [verdict for verdict in results.verdicts if verdict.method == "dmarc" and verdict.result == "pass"]
    proven = [value.lower() for verdict in passed for name, value in verdict.properties if name == "header.from"]
    return bool(domain) and proven == [domain]


def is_sound(results: Results) -> bool:
    """Whether no verdict can come from the sender.

    A receiver prints the sender's own words, such as the envelope address, in comments. Brackets in them end the
    comment and begin verdicts of the sender's making; then a check stands there twice, or the envelope behind a wrong
    check.
    """
    methods = [verdict.method for verdict in results.verdicts]
    others = [verdict for verdict in results.verdicts if verdict.method != "spf"]
    astray = any(name in ENVELOPE for verdict in others for name, _ in verdict.properties)
    return methods.count("dmarc") < 2 and methods.count("spf") < 2 and not astray


def parse_results(value: str) -> Results | None:
    """An Authentication-Results header taken apart; None where it is not written as RFC 8601 says."""
    text = strip_comments(value) if value.isascii() and len(value) <= MAX_RESULTS else None
    if text is None or set(re.sub(QUOTED, "", text)) & set('"\\'):
        return None
    receiver, *sections = SECTION.findall(text)
    head = RECEIVER.fullmatch(receiver)
    if not head or head.group(2) not in {None, "1"}:
        return None
    checks = [section for section in sections if section.strip()]
    if [check.strip().lower() for check in checks] == ["none"]:
        checks = []
    verdicts = tuple(verdict for check in checks if (verdict := parse_verdict(check)))
    return Results(unquote(head.group(1)).lower(), verdicts) if len(verdicts) == len(checks) else None


def parse_verdict(section: str) -> Verdict | None:
    pairs = list(parse_pairs(section))
    if not pairs or None in pairs:
        return None
    (method, result), *properties = [pair for pair in pairs if pair]
    return Verdict(method.removesuffix("/1"), result.lower(), tuple(properties))


def parse_pairs(section: str) -> Iterator[tuple[str, str] | None]:
    """Name and value each; None and no more where there is none."""
    at = 0
    while section[at:].strip():
        pair = PAIR.match(section, at)
        if not pair:
            yield None
            return
        yield re.sub(r"\s", "", pair.group(1)).lower(), unquote(pair.group(2))
        at = pair.end()


def unquote(value: str) -> str:
    """A value as it is meant; one that is quoted in part stays as it is written."""
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if re.fullmatch(QUOTED, value) else value
