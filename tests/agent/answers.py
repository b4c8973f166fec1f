"""Right and wrong answers over the sample company, held against its articles by the checks every reply passes."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from agent.grounding import Evidence, Problem, ReplyDraft, check_reply
from agent.guarded import GuardedTexts
from agent.prompt import list_policy_rules
from app.front_matter import parse_article
from app.knowledge_files import SAMPLE_COMPANY
from db.knowledge import NewArticle
from db.passages import split_passages
from db.text import plain_text

EVALS = Path(__file__).parents[1] / "evals"


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as a model would send it. `codes`: one of them must refuse it; none: it is right."""

    name: str
    articles: tuple[str, ...]
    plan: str | None
    lang: str
    asked: str
    body: str
    kind: str = "answer"
    change: str = ""
    codes: tuple[str, ...] = ()


@cache
def load_sample(slug: str) -> NewArticle:
    path = SAMPLE_COMPANY / f"{slug}.md"
    return parse_article(path.read_text(encoding="utf-8"), path.name)


@cache
def load_guarded() -> GuardedTexts:
    texts = [load_sample(path.stem) for path in sorted(SAMPLE_COMPANY.glob("internal-*.md"))]
    plans = {load_sample(path.stem).plan for path in SAMPLE_COMPANY.glob("*.md")}
    guarded = (list_policy_rules(), *(f"{article.title}\n{article.body}" for article in texts))
    return GuardedTexts(guarded, frozenset(plan for plan in plans if plan))


def list_gold(name: str = "answers_gold.jsonl") -> list[Answer]:
    return [read_answer(row) for row in read_rows(name)]


def read_answer(row: dict[str, Any]) -> Answer:
    kind = row.get("kind", "answer")
    return Answer(row["id"], tuple(row["articles"]), row["plan"], row["lang"], row["asked"], row["body"], kind)


def list_fresh(name: str) -> tuple[list[Answer], list[Answer]]:
    """Answers by somebody who had not seen the checks: those the checks were mended against, and the unseen ones.

    A wrong answer is on the side of the right one it was made from. Their codes are open: only refused or not counts.
    """
    rows = read_rows(name)
    first, second = ([row for row in rows if find_half(row) == half] for half in (0, 1))
    return [read_fresh(row) for row in first], [read_fresh(row) for row in second]


def find_half(row: dict[str, Any]) -> int:
    digest = hashlib.md5((row.get("of") or row["id"]).encode(), usedforsecurity=False)
    return int(digest.hexdigest(), 16) % 2


def read_fresh(row: dict[str, Any]) -> Answer:
    return replace(read_answer(row), change=row.get("change", ""))


def list_wrong() -> list[Answer]:
    gold = {answer.name: answer for answer in list_gold()}
    return [spoil(gold[row["of"]], row) for row in read_rows("answers_wrong.jsonl") if row["codes"]]


def spoil(gold: Answer, row: dict[str, Any]) -> Answer:
    """The wrong answer a row describes: words replaced, another body, another source, or whole articles pasted."""
    body = row.get("body", gold.body)
    if "replace" in row:
        old, new = row["replace"]
        assert old in gold.body, row
        body = gold.body.replace(old, new, 1)
    articles = tuple(row.get("articles") or row.get("paste") or gold.articles)
    if "paste" in row:
        body = "\n\n".join(plain_text(load_sample(slug).body) for slug in row["paste"])
    changed = {"kind": row.get("kind", gold.kind), "change": row["change"], "codes": tuple(row["codes"])}
    return replace(gold, body=body, articles=articles, **changed)


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EVALS / name).read_text(encoding="utf-8").splitlines() if line.strip()]


def list_problems(answer: Answer) -> list[str]:
    """The codes of what is wrong with an answer."""
    return [problem.code for problem in check_answer(answer)]


def check_answer(answer: Answer) -> tuple[Problem, ...]:
    """What is wrong with an answer that cites all passages of its articles."""
    passages, plans = lay_passages(answer.articles)
    evidence = Evidence(
        passages=passages,
        said=(),
        done=frozenset({"search_knowledge_base"}),
        company="Tidefern",
        allowed_links=("tidefern.example",),
        max_chars=20_000,
        language=answer.lang,
        claimed=(answer.asked,),
        plan=answer.plan,
        passage_plans=plans,
        guarded=load_guarded(),
    )
    draft = ReplyDraft(answer.body, tuple(passages), answer.kind, answer.lang)
    return check_reply(draft, evidence)


def lay_passages(slugs: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Passages and their plans by handle, as a search gives them."""
    passages: dict[str, str] = {}
    plans: dict[str, str] = {}
    for slug in slugs:
        article = load_sample(slug)
        for heading, text in split_passages(article.body):
            handle = f"K{len(passages) + 1}"
            passages[handle] = f"{article.title}\n" + (f"## {heading}\n\n" if heading else "") + text
            if article.plan:
                plans[handle] = article.plan
    return passages, plans


# Mutations by rule ---------------------------------------------------------------------------------------------------

UNITS = {"minutes": "hours", "hours": "days", "days": "weeks", "months": "years", "MB": "GB", "GB": "MB",
         "Stunden": "Tage", "Tage": "Wochen", "jours": "semaines", "días": "semanas", "giorni": "mesi"}  # fmt: skip
FLIPS = (
    (r"\bcannot be\b", "can be"), (r"\baren't\b", "are"), (r"\bare not\b", "are"), (r"\bisn't\b", "is"),
    (r"\bdon't need\b", "need"), (r"\bcan be\b", "cannot be"), (r"\bare included\b", "are not included"),
    (r"\bNothing is\b", "Everything is"), (r"\bworks for\b", "does not work for"),
    (r"\bis part of\b", "is not part of"), (r"\bare free\b", "are not free"), (r"\bare kept\b", "are not kept"),
)  # fmt: skip
PLANS = ("Free", "Pro", "Business")
ADDED = (
    "It also has a built-in Kanban forecast and burndown charts.",
    "The premium helpdesk add-on brings phone support.",
    "Offline mode works on every laptop without a connection.",
)


def list_mutations(answer: Answer) -> Iterator[Answer]:
    """Wrong answers made from a right one by rule, each with one change."""
    if answer.kind != "answer":
        return
    yield from change_numbers(answer)
    for word, other in UNITS.items():
        if re.search(rf"\d {word}\b", answer.body):
            yield replace(answer, change="unit", body=re.sub(rf"(?<=\d ){word}\b", other, answer.body, count=1))
    yield from swap_plans(answer)
    if answer.lang == "en":
        for pattern, other in FLIPS:
            if re.search(pattern, answer.body):
                yield replace(answer, change="negation", body=re.sub(pattern, other, answer.body, count=1))
        for added in ADDED:
            yield replace(answer, change="feature", body=f"{answer.body} {added}")
    yield from leak_internals(answer)


def change_numbers(answer: Answer) -> Iterator[Answer]:
    """Each number raised by seven and a third, where the articles do not have that one as well."""
    known = set(re.findall(r"\d+", " ".join(load_sample(slug).body for slug in answer.articles).replace(",", "")))
    for match in re.finditer(r"(?<![\d.])\d[\d,]*(?![\d.]*\d|[.)] )", answer.body):
        digits = match.group().rstrip(",")
        raised = str(int(digits.replace(",", "")) * 4 // 3 + 7)
        if raised not in known:
            body = answer.body[: match.start()] + raised + answer.body[match.start() + len(digits) :]
            yield replace(answer, change="number", body=body)


def swap_plans(answer: Answer) -> Iterator[Answer]:
    """Where a sentence names one plan beside a number, another one."""
    for sentence in re.split(r"(?<=[.!?])\s+|\n", answer.body):
        named = [plan for plan in PLANS if re.search(rf"\b{plan}\b", sentence)]
        if len(named) == 1 and re.search(r"\d", sentence):
            for other in PLANS:
                if other != named[0]:
                    swapped = re.sub(rf"\b{named[0]}\b", other, sentence)
                    yield replace(answer, change="plan", body=answer.body.replace(sentence, swapped))


def leak_internals(answer: Answer) -> Iterator[Answer]:
    """A sentence of an internal article behind the answer, whole and with its ends cut."""
    sources = sorted(SAMPLE_COMPANY.glob("internal-*.md"))
    text = plain_text(load_sample(sources[len(answer.body) % len(sources)].stem).body)
    sentences = [sentence for sentence in re.split(r"(?<=[.!?])\s+|\n+", text) if len(sentence.split()) >= 12]
    sentence = sentences[len(answer.asked) % len(sentences)]
    yield replace(answer, change="internal", body=f"{answer.body} {sentence}")
    cut = " ".join(sentence.split()[2:-1])
    yield replace(answer, change="internal", body=f"{answer.body} {cut}.")
