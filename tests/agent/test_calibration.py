import pytest

from agent.calibration import FEWEST, Outcome, calibrate, find_high, find_low
from db.embeddings import start_model
from db.pool import Connection, Pool
from tests.agent.word_embedder import WordEmbedder, take_in

SUBJECTS = ("refund", "export", "password", "invoice", "calendar", "webhook")


async def take_in_subjects(pool: Pool, embedder: WordEmbedder | None) -> None:
    for subject in SUBJECTS:
        questions = f'["Where is the {subject} page?", "How does the {subject} work?"]'
        await take_in(pool, subject, f"All about it: the {subject}.", embedder, title=subject, questions=questions)


async def test_thresholds_are_measured_for_words_and_for_vectors(pool: Pool, conn: Connection) -> None:
    embedder = WordEmbedder()
    await take_in_subjects(pool, embedder)
    await calibrate(pool, embedder)
    await calibrate(pool, embedder)
    rows = await conn.fetch("select mode, high, low, sample_size from search_thresholds order by mode")
    assert [(row["mode"], row["sample_size"]) for row in rows] == [("text", 12), ("words", 12)]
    assert all(row["low"] > 0 and row["high"] > 0 for row in rows)


async def test_a_question_is_measured_as_if_its_author_had_not_written_it(pool: Pool, conn: Connection) -> None:
    for number in range(FEWEST):
        await take_in(pool, f"a{number}", "Plain.", title=f"Thing{number}", questions=f'["zebra{number} sings"]')
    await calibrate(pool, None)
    assert await conn.fetchval("select count(*) from search_thresholds") == 0


async def test_without_enough_questions_nothing_is_measured(pool: Pool, conn: Connection) -> None:
    await take_in(pool, "refunds", "Paid back.", questions='["Where is my refund?"]')
    await calibrate(pool, None)
    assert await conn.fetchval("select count(*) from search_thresholds") == 0


async def test_a_model_that_is_not_searched_with_yet_is_not_measured(pool: Pool, conn: Connection) -> None:
    await take_in_subjects(pool, None)
    await start_model(conn, "words", 64)
    await calibrate(pool, WordEmbedder())
    assert [row["mode"] for row in await conn.fetch("select mode from search_thresholds")] == ["text"]


def test_high_is_the_lowest_sureness_with_95_of_100_right() -> None:
    right = [Outcome(0.5, 1 + place / 100, is_right=True) for place in range(20)]
    wrong = [Outcome(0.5, 0.9, is_right=False), Outcome(0.5, 0.8, is_right=False)]
    assert find_high([*right, wrong[0]]) == pytest.approx(0.9)
    assert find_high([*right, *wrong]) == pytest.approx(0.9)
    assert find_high([*right[:10], *wrong]) == pytest.approx(1.0)


def test_high_is_out_of_reach_when_the_surest_answers_are_wrong() -> None:
    assert find_high([Outcome(0.9, 2.0, is_right=False), Outcome(0.5, 1.0, is_right=True)]) > 2.0


def test_low_leaves_out_the_lowest_right_scores() -> None:
    outcomes = [Outcome(place / 100, 1.0, is_right=True) for place in range(1, 101)]
    assert find_low(outcomes) == pytest.approx(0.8 * 0.06)
