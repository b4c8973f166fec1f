"""The examples that come with the code follow it; what people corrected stays theirs."""

import json

from db.examples import Example, find_stamp, install_shipped, list_examples, read_shipped
from db.pool import Connection

ROW = {
    "text": "Where is my parcel?", "language": "en", "category": "general", "sentiment": "neutral", "reasons": [],
    "information_only": False,
}  # fmt: skip


async def test_a_new_database_has_the_shipped_examples(conn: Connection) -> None:
    shipped = {example.text: example for example in read_shipped()}
    stored = await list_examples(conn)
    assert {example.text for example in stored} == set(shipped)
    assert all(same_labels(example, shipped[example.text]) for example in stored)


def same_labels(one: Example, other: Example) -> bool:
    return (one.category, one.sentiment, one.reasons) == (other.category, other.sentiment, other.reasons)


async def test_shipped_rows_follow_the_file(conn: Connection) -> None:
    await install_shipped(conn, json.dumps(ROW))
    assert [example.text for example in await list_examples(conn)] == [ROW["text"]]
    before = await find_stamp(conn)
    await install_shipped(conn, json.dumps(ROW | {"category": "technical"}) + "\n")
    assert [example.category for example in await list_examples(conn)] == ["technical"]
    assert await find_stamp(conn) != before


async def test_the_same_file_changes_nothing(conn: Connection) -> None:
    await install_shipped(conn, json.dumps(ROW))
    before = await find_stamp(conn)
    await install_shipped(conn, json.dumps(ROW))
    assert await find_stamp(conn) == before


async def test_what_a_person_corrected_is_never_overwritten(conn: Connection) -> None:
    await install_shipped(conn, json.dumps(ROW))
    await conn.execute(
        "insert into examples (text, category, sentiment, source) values ($1, 'legal', 'angry', 'person')",
        ROW["text"],
    )
    await install_shipped(conn, json.dumps(ROW))
    assert [example.category for example in await list_examples(conn)] == ["legal"]


def test_no_shipped_text_stands_twice() -> None:
    texts = [example.text for example in read_shipped()]
    assert len(set(texts)) == len(texts)
