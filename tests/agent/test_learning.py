"""What messages are judged by follows the table of examples."""

import json

from agent.learning import Learner
from db.examples import install_shipped
from db.pool import Connection, Pool
from tests.agent.word_embedder import WordEmbedder

ROWS = [
    ("I was charged twice for May", "billing", "negative", ["billing_dispute"]),
    ("My card was charged twice", "billing", "negative", ["billing_dispute"]),
    ("Which cards do you take?", "billing", "neutral", []),
    ("Which cards can I pay with?", "billing", "neutral", []),
    ("The owls are awake", "technical", "neutral", []),
    ("The owls are asleep", "technical", "neutral", []),
    ("How do I export a board?", "technical", "neutral", []),
    ("How do I print a board?", "technical", "neutral", []),
]


async def keep_rows(conn: Connection) -> None:
    """A few examples instead of the shipped ones, so that learning takes no time."""
    lines = [
        {"text": text, "language": "en", "category": category, "sentiment": sentiment, "reasons": reasons,
         "information_only": False}
        for text, category, sentiment, reasons in ROWS
    ]  # fmt: skip
    await install_shipped(conn, "\n".join(map(json.dumps, lines)))
    await conn.execute("delete from example_fits")


async def teach(conn: Connection, text: str, category: str) -> None:
    await conn.execute(
        """
        insert into examples (text, category, sentiment, reasons, source) values ($1, $2, 'neutral', '{}', 'person')
        on conflict (content_hash) do update set category = excluded.category, changed_at = clock_timestamp()
        """,
        text, category,
    )  # fmt: skip


async def test_a_correction_is_known_at_the_next_look(pool: Pool, conn: Connection) -> None:
    await keep_rows(conn)
    learner = Learner(pool, None)
    assessor = await learner.open_assessor()
    await learner.look(assessor)
    assert assessor.classifier.classify("Are the owls awake?").category == "technical"
    for text, *_ in ROWS[4:6]:
        await teach(conn, text, "account")
    assert await learner.look(assessor)
    assert assessor.classifier.classify("Are the owls awake?").category == "account"
    assert not await learner.look(assessor)


async def test_what_one_process_learnt_the_next_need_not_learn(pool: Pool, conn: Connection) -> None:
    await keep_rows(conn)
    first = await Learner(pool, None).open_assessor()
    await conn.execute("update example_fits set made_at = '2026-01-01'")
    again = await Learner(pool, None).open_assessor()
    assert await conn.fetchval("select array_agg(made_at::date::text) from example_fits") == ["2026-01-01"]
    assert again.classifier.classify(ROWS[0][0]) == first.classifier.classify(ROWS[0][0])


async def test_what_was_kept_and_is_damaged_is_learnt_anew(pool: Pool, conn: Connection) -> None:
    await keep_rows(conn)
    await Learner(pool, None).open_assessor()
    await conn.execute(r"update example_fits set fit = '\x00'")
    assessor = await Learner(pool, None).open_assessor()
    assert assessor.classifier.classify(ROWS[0][0]).category == "billing"


async def test_meanings_are_learnt_once_for_all_processes(pool: Pool, conn: Connection) -> None:
    await keep_rows(conn)
    for _ in range(2):
        embedder = WordEmbedder()
        learner = Learner(pool, embedder)
        assessor = await learner.open_assessor()
        assert await assessor.find_vector(["export"]) is None
        await learner.look(assessor)
        assert await assessor.find_vector(["export"]) is not None
    assert await conn.fetchval("select count(*) from example_embeddings") == len(ROWS)


async def test_only_the_last_few_fits_are_kept(pool: Pool, conn: Connection) -> None:
    await keep_rows(conn)
    learner = Learner(pool, None)
    assessor = await learner.open_assessor()
    for category in ("account", "security", "legal", "general", "feedback"):
        await teach(conn, "Something else again", category)
        await learner.look(assessor)
    assert await conn.fetchval("select count(*) from example_fits") <= 4
