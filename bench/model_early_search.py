"""Questions of the sample company answered with and without the search that runs before the first model call."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import orjson

from agent.calibration import calibrate
from agent.models.base import ModelReply, ModelRequest, ToolCall
from agent.models.chat_wire import CHAT
from agent.models.transcript import Found, Searched, read_progress
from agent.models.wire import WireOptions
from agent.turn import Limits
from app.wakeup import Announcer
from bench.ground import fresh_pool
from bench.quality.bases import list_company_articles, take_in
from bench.report import Report
from bench.run_turn import LEASE, make_runner
from db import queue
from db.knowledge import NewArticle
from db.pool import Pool
from db.queue import ClaimedLane
from tests.fakes import submit
from worker.turn import TurnRunner

AT_ONCE = 30
CONNECTIONS = 6
MODEL_SECONDS = 1.0
EVERY = 2  # so-manieth question is asked
EVERY_QUICK = 12
CHARS_PER_TOKEN = 4
OPTIONS = WireOptions("reading", "bench/reading")


class ReadingModel:
    """Searches for what the customer asks unless a search it trusts is there, then quotes the first result."""

    name = "reading"

    def __init__(self, *, is_doubtful: bool) -> None:
        self.is_doubtful = is_doubtful
        """Searches in its own words too, unless the search before it was sure."""
        self.requests = 0
        self.sent_bytes = 0

    async def reply(self, request: ModelRequest) -> ModelReply:
        self.requests += 1
        self.sent_bytes += len(orjson.dumps(CHAT.build_body(request, OPTIONS)))
        await asyncio.sleep(MODEL_SECONDS)
        return ModelReply(self.name, (self.choose_call(request),))

    def choose_call(self, request: ModelRequest) -> ToolCall:
        progress = read_progress(request.items)
        searches = progress.list_searches()
        trusted = [s for s in searches if s.results and (s.confidence == "high" or not self.is_doubtful)]
        has_searched = any(call.id == "searched" for call, _ in progress.calls)
        found = find_first(trusted or searches)
        if not trusted and not has_searched:
            return write_call("searched", "search_knowledge_base", query=request.brief.words, category=None)
        if found is None or progress.list_errors("send_response"):
            return hand_over(request)
        return quote(found, request)


def find_first(searches: Sequence[Searched]) -> Found | None:
    """The best passage of the newest search that found any."""
    return next((s.results[0] for s in reversed(searches) if s.results), None)


def quote(found: Found, request: ModelRequest) -> ToolCall:
    """Its first paragraph as the answer."""
    body = found.text.removeprefix(f"## {found.heading}").strip().partition("\n\n")[0]
    return write_call(
        "replied", "send_response", body=body, citations=[found.citation], kind="answer", resolves=True,
        language=request.brief.assessment.language,
    )  # fmt: skip


def hand_over(request: ModelRequest) -> ToolCall:
    return write_call(
        "handed", "escalate_to_human", category=request.brief.assessment.category, reason_code="no_answer",
        priority="normal", handoff_note="Nothing in the articles answers this.",
        customer_message="A colleague will look into this and write to you.",
    )  # fmt: skip


def write_call(call_id: str, name: str, **arguments: object) -> ToolCall:
    return ToolCall(call_id, name, json.dumps(arguments))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the questions came to, a turn each."""

    requests: float
    tokens: float
    seconds: float
    answered: float
    """Share of the turns that ended with an answer."""


async def measure_early_search(report: Report, *, quick: bool) -> None:
    """The same questions each time, each of a customer of its own, on one database."""
    questions = list_questions()[:: EVERY_QUICK if quick else EVERY]
    async with fresh_pool(CONNECTIONS) as pool:
        await take_in(pool, None, list_company_articles())
        await calibrate(pool, None)
        await take_in(pool, None, [withhold_questions(article) for article in list_company_articles()])
        without = await ask_all(pool, questions, is_early=False, is_doubtful=False)
        add_rows(report, f"{len(questions)} questions, no early search", without)
        for is_doubtful, who in ((False, "a model that trusts it"), (True, "one that searches again unless sure")):
            found = await ask_all(pool, questions, is_early=True, is_doubtful=is_doubtful)
            add_rows(report, f"{len(questions)} questions, early search, {who}", found, without)


def add_rows(report: Report, case: str, found: Asked, without: Asked | None = None) -> None:
    """Beside the same without the early search, where there is one."""
    seconds = f"seconds, {MODEL_SECONDS:g} of them for each request"
    for metric, name, unit in (
        ("model requests", "requests", "per turn"),
        ("input tokens, bytes / 4", "tokens", "per turn"),
        (seconds, "seconds", "s"),
    ):
        value = getattr(found, name)
        if without is None:
            report.add(case, metric, value, unit)
        else:
            report.compare(case, metric, value, getattr(without, name), unit)
    report.add(case, "turns that end with an answer", 100 * found.answered, "%")


def withhold_questions(article: NewArticle) -> NewArticle:
    """The article as if nobody had foreseen what will be asked; no customer uses its author's very words."""
    return replace(article, questions=(), content_hash=article.content_hash[::-1])


def list_questions() -> list[str]:
    """What the authors of the public articles say their customers ask."""
    return [question for a in list_company_articles() if a.visibility == "public" for question in a.questions]


async def ask_all(pool: Pool, questions: Sequence[str], *, is_early: bool, is_doubtful: bool) -> Asked:
    model = ReadingModel(is_doubtful=is_doubtful)
    announcer = Announcer(pool)
    runner = replace(make_runner(pool, announcer), models=(model,), limits=Limits(early_search=is_early))
    async with pool.acquire() as conn:
        began = await conn.fetchval("select clock_timestamp()")
        for question in questions:
            await submit(conn, question, email=f"{uuid4().hex}@example.com")
    seconds = await answer_all(pool, runner)
    await announcer.flush()
    async with pool.acquire() as conn:
        outcomes = [r[0] for r in await conn.fetch("select outcome from agent_metrics where finished_at > $1", began)]
    return Asked(
        requests=model.requests / len(questions),
        tokens=model.sent_bytes / CHARS_PER_TOKEN / len(questions),
        seconds=sum(seconds) / len(seconds),
        answered=outcomes.count("answered") / len(questions),
    )


async def answer_all(pool: Pool, runner: TurnRunner) -> list[float]:
    """Seconds of each turn, AT_ONCE of them at a time, until nothing waits."""
    async with pool.acquire() as conn:
        waiting = deque(await queue.claim_lanes(conn, worker="bench", lanes=1000, messages=20, lease=LEASE))
    taken: list[float] = []

    async def take() -> None:
        while waiting:
            lane: ClaimedLane = waiting.popleft()
            began = time.perf_counter()
            await runner.run(lane)
            taken.append(time.perf_counter() - began)

    await asyncio.gather(*(take() for _ in range(AT_ONCE)))
    return taken
