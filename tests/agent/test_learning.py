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
        on conflict (content_hash, source) do update set category = excluded.category, changed_at = clock_timestamp()
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
    kept = await conn.fetchval("select count(*) from example_fits")
    again = await Learner(pool, None).open_assessor()
    assert await conn.fetchval("select count(*) from example_fits") == kept == 1
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


async def test_what_nobody_asked_for_in_two_days_is_not_kept(pool: Pool, conn: Connection) -> None:
    await keep_rows(conn)
    learner = Learner(pool, None)
    assessor = await learner.open_assessor()
    await learner.look(assessor)
    await conn.execute("update example_fits set made_at = now() - interval '3 days'")
    await teach(conn, "Something else again", "account")
    await learner.look(assessor)
    assert await conn.fetchval("select count(*) from example_fits") == 1


async def test_an_emptied_table_leaves_the_shipped_examples(pool: Pool, conn: Connection) -> None:
    await conn.execute("delete from examples")
    assessor = await Learner(pool, None).open_assessor()
    assert assessor.classifier.classify("I was charged twice for May").category == "billing"


async def test_a_customers_own_words_are_not_shown_on_other_tickets(pool: Pool, conn: Connection) -> None:
    await keep_rows(conn)
    for name in ("Okonkwo", "Adeyemi"):
        await conn.execute(
            """
            insert into examples (text, category, sentiment, reasons, source)
            values ($1, 'legal', 'negative', '{legal}', 'person')
            """,
            f"Doctor {name} counted purple umbrellas",
        )
    assessor = await Learner(pool, None).open_assessor()
    found = assessor.assess(["Doctor Meier counted purple umbrellas"], previous=(), language="en", category_hint=None)
    assert [one.reason for one in found.escalations] == ["legal"]
    assert "like: example" in found.priority_why
    assert "Okonkwo" not in found.priority_why
    assert "Adeyemi" not in found.priority_why
