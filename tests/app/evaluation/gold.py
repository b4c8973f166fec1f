"""A question, what was expected, and an answer that is right: to be spoilt by the tests of the scorer."""

from dataclasses import replace
from typing import Any

from app.evaluation.checks import Failure, Scored, Secrets, check_turn
from app.evaluation.observed import Observed, Reply
from app.evaluation.records import Expect
from app.evaluation.scratch import gather_secrets
from app.front_matter import parse_article
from app.knowledge_files import SAMPLE_COMPANY
from tests.app.desk import make_settings

QUESTION = "Which formats can I export our projects in, and how long does the link work? We are on Pro."
ANSWER = (
    "On the Pro plan you can export up to 20 projects at once as CSV, XLSX or JSON, with up to 50,000 rows. "
    "The link to the file arrives by e-mail, usually within 15 minutes, and works for 24 hours."
)
GERMAN = (
    "Im Tarif Pro können Sie bis zu 20 Projekte auf einmal als CSV, XLSX oder JSON exportieren. "
    "Der Link zur Datei kommt per E-Mail und ist 24 Stunden gültig."
)
EXPECT = Expect(
    category=["technical"],
    escalate="must_not",
    docs=[["export-pro"]],
    facts=[["XLSX"], [r"24[\s-]hours?", r"24 Stunden"]],
    forbidden=["PDF|Salesforce", "guarantee"],
    max_chars=1600,
)


def read_text(slug: str) -> str:
    article = parse_article((SAMPLE_COMPANY / f"{slug}.md").read_text(), slug)
    return f"{article.title}\n{article.body}"


def cite(slug: str) -> dict[str, Any]:
    return {"passage": 1, "version": 1, "slug": slug, "title": slug, "url": f"/help/{slug}"}


def make_seen(text: str = ANSWER, slug: str = "export-pro", **changed: Any) -> Observed:
    """An answer on WhatsApp that cites this article, as it would be observed; fields by name replace its own."""
    seen = Observed(
        channel="whatsapp",
        said=(QUESTION,),
        replies=(Reply((text,), "answer", (cite(slug),)),),
        passages={1: read_text(slug)},
        outcomes=("answered",),
        category="technical",
        all_replies=1,
        metrics=1,
        new_metrics=1,
    )
    return replace(seen, **changed)


def find_failed(seen: Observed, expect: Expect = EXPECT, lang: str = "en") -> set[str]:
    """The names of the checks that fail."""
    return {failure.check for failure in list_failures(seen, expect, lang)}


def list_failures(seen: Observed, expect: Expect = EXPECT, lang: str = "en") -> list[Failure]:
    return check_turn(Scored(expect, lang, seen, load_secrets()))


def load_secrets() -> Secrets:
    return gather_secrets(make_settings())
