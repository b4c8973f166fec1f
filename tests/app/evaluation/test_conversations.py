"""The desk's own turns, run once more: seen side by side, and nothing of it kept."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from agent.models.base import Model, ModelReply, Usage
from agent.models.scripted import ScriptedModel
from agent.prices import read_price
from app.commands import eval as command
from app.evaluation import side_by_side
from app.evaluation.conversations import Rerun, list_turns, open_ground, run_again
from app.knowledge_files import SAMPLE_COMPANY, import_files
from app.settings import Settings
from db.pool import Connection, Pool, open_pool
from tests.app.desk import make_settings
from tests.app.evaluation.test_eval import parse
from tests.fakes import call, claim_one, hand_over, make_runner, reply_with, submit

EXPORT = "How many projects can be exported at once on the Pro plan?"
WEEK = timedelta(days=7)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(DATABASE_URL=database_url, EMBEDDINGS="off", STATE_FOLDER=str(tmp_path))


async def answer(pool: Pool, conn: Connection, question: str, *steps: Any) -> None:
    await submit(conn, question)
    await make_runner(pool, ScriptedModel(steps)).run(await claim_one(pool))


async def play(settings: Settings, *words: str) -> int:
    return await command.run(parse("--from-conversations", *words), settings)


async def rerun_with(settings: Settings, *models: Model, **more: Any) -> Rerun:
    """All turns of the week with these models."""
    async with open_ground(settings, is_offline=False) as ground:
        agent = replace(ground.agent, models=models)
        ground = replace(ground, agent=agent, runner=replace(ground.runner, **more))
        return await run_again(ground, await list_turns(ground, WEEK, 100), lambda *_: None)


async def take_stock(conn: Connection) -> dict[str, Any]:
    """How many rows each table has, when they were last changed, and where each sequence stands.

    Not of the fits: whoever learns from the examples notes that it did.
    """
    tables = await conn.fetch(
        """
        select relname, relkind::text from pg_class
         where relkind in ('r', 'S') and relnamespace = 'public'::regnamespace and relname <> 'example_fits'
        """
    )
    stock = {}
    for name, kind in tables:
        count = "last_value" if kind == "S" else "count(*) || ' ' || coalesce(max(xmin::text::bigint), 0)"
        stock[name] = await conn.fetchval(f"select {count} from {name}")  # noqa: S608 (names of our own tables)
    return stock


async def test_what_was_answered_stands_beside_what_would_be_answered_now(
    settings: Settings,
    pool: Pool,
    conn: Connection,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    await answer(pool, conn, EXPORT, hand_over("no_answer"))
    await answer(pool, conn, "I want to speak to a human being, please.", reply_with("No."), hand_over())
    before = await take_stock(conn)
    assert await play(settings, "7d", "--model", "offline") == 0
    said = capsys.readouterr().out
    for part in (
        f"> {EXPORT}", "THEN escalated (scripted", "NOW answered (offline", "cites export-pro", "20 projects",
        "turns run again    2", "same outcome       1 of 2 (50%)", "2 then, 1 now: 0 more, 1 fewer",
    ):  # fmt: skip
        assert part in said, part
    assert await take_stock(conn) == before
    assert EXPORT not in caplog.text


async def test_what_a_customer_wrote_cannot_steer_the_terminal(
    settings: Settings, pool: Pool, conn: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    await answer(pool, conn, "Hello \x1b[31mthere\x1b]0;title\x07, \u202eolleh", reply_with("Hello."))
    assert await play(settings, "24h") == 0
    said = capsys.readouterr().out
    assert "Hello [31mthere]0;title, olleh" in said


async def test_scripts_read_the_same_as_json(
    settings: Settings, pool: Pool, conn: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    await answer(pool, conn, EXPORT, hand_over("no_answer"))
    assert await play(settings, "24h", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    [turn] = result["turns"]
    assert (turn["then"]["outcome"], turn["now"]["outcome"], turn["now"]["cited"]) == (
        "escalated", "answered", ["export-pro"],
    )  # fmt: skip
    assert result["figures"]["no_longer_escalated"] == [turn["turn"]]


async def test_an_article_that_was_changed_since_changes_the_answer(
    settings: Settings, pool: Pool, conn: Connection, tmp_path: Path
) -> None:
    await import_files(pool, [SAMPLE_COMPANY])
    await submit(conn, EXPORT)
    async with open_ground(settings, is_offline=True) as ground:
        await make_runner(pool, *ground.agent.models).run(await claim_one(pool))
        [same] = (await run_again(ground, await list_turns(ground, WEEK, 9), lambda *_: None)).compared
        article = (SAMPLE_COMPANY / "export-pro.md").read_text()
        (tmp_path / "export-pro.md").write_text(article.replace("20 projects", "35 projects"))
        await import_files(pool, [tmp_path / "export-pro.md"])
        [changed] = (await run_again(ground, await list_turns(ground, WEEK, 9), lambda *_: None)).compared
    assert same.then == same.now
    assert "20 projects" in changed.then.text
    assert "35 projects" in changed.now.text


async def test_another_model_gets_what_the_first_was_given_and_its_tickets_are_not_opened(
    settings: Settings, pool: Pool, conn: Connection
) -> None:
    asks = call("get_customer_history", scope="all")
    await answer(pool, conn, "It is broken", asks, reply_with("Which board is broken?", kind="clarifying_question"))
    told = await conn.fetchval("select results->0->>'output' from turn_steps where step = 1")
    await conn.execute("update tickets set subject = 'what was learnt since'")
    before = await take_stock(conn)
    other = ScriptedModel([asks, hand_over()], name="other")
    [one] = (await rerun_with(settings, other)).compared
    assert (one.then.outcome, one.now.outcome, one.now.model) == ("asked", "escalated", "other")
    assert getattr(other.requests[1].items[-1], "output") == told  # noqa: B009 (an item of one kind)
    assert "It is broken" in str(other.requests[0].items[0])
    assert await take_stock(conn) == before


async def test_without_anything_to_run_again_it_says_so(
    settings: Settings, pool: Pool, conn: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    await answer(pool, conn, "Hello there", reply_with("Hello."))
    await conn.execute("update turns set finished_at = now() - interval '8 days'")
    assert await play(settings, "7d") == 0
    assert "nothing to run again" in capsys.readouterr().out
    await conn.execute("update turns set finished_at = now(), brief = null")
    assert await play(settings, "7d") == 0
    assert "left out           1: it is older" in capsys.readouterr().out


async def test_only_so_many_are_run_the_newest(settings: Settings, pool: Pool, conn: Connection) -> None:
    for question in ("one", "two", "three"):
        await answer(pool, conn, f"Hello, {question}", reply_with("Hello."))
    async with open_ground(settings, is_offline=True) as ground:
        turns = await list_turns(ground, WEEK, 2)
    assert [turn.burst[0]["text"] for turn in turns] == ["Hello, two", "Hello, three"]


async def test_it_stops_where_a_days_budget_is_used_up(settings: Settings, pool: Pool, conn: Connection) -> None:
    for _ in range(3):
        await answer(pool, conn, "Hello there", reply_with("Hello."))
    dear = [ModelReply("dear", tuple(reply_with("Hello.")), Usage(10_000, 100)) for _ in range(3)]
    poor = settings.model_copy(update={"daily_budget_usd": 0.015})
    limits = replace(make_runner(pool).limits, usd=Decimal(1))
    rerun = await rerun_with(poor, ScriptedModel(dear, name="dear"), prices={"dear": read_price("1/1")}, limits=limits)
    assert (len(rerun.compared), rerun.is_out_of_money) == (2, True)
    assert "DAILY_BUDGET_USD" in side_by_side.as_text(rerun)
    assert "$0.0202 now" in side_by_side.as_text(rerun)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["tickets.jsonl", "--from-conversations", "7d"],
        ["--from-conversations", "7d", "--limit", "0"],
        ["--from-conversations", "7d", "--group", "A"],
        ["--from-conversations", "7d", "--runs", "2"],
    ],
)
async def test_what_cannot_be_meant_is_wrong_use(settings: Settings, words: list[str]) -> None:
    assert await command.run(parse(*words), settings) == 2


@pytest.mark.parametrize("span", ["7", "d", "0d", "7w", "-1d", "1.5h", "٧d"])
def test_a_span_of_time_is_hours_or_days(span: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(f"--from-conversations={span}")
    assert stopped.value.code == 2


async def test_a_pool_that_only_reads_cannot_write(database_url: str) -> None:
    async with open_pool(database_url, size=1, is_read_only=True) as reader:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await reader.execute("delete from turns")
