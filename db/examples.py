"""Labelled messages the agent learns from: those that come with the code, and people's corrections."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.embeddings import format_vector
from db.people import Actor
from db.pool import Connection

SHIPPED = Path(__file__).with_name("examples.jsonl")
"""One object a line: text, language, category, sentiment, reasons, information_only. Written for this project, CC0."""
MOST = 6000
"""What is learnt of them takes memory by the square of their number: 144 MB for so many."""


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled message. `reasons` are why a person must or should see it; `information_only` ones have no case."""

    id: int
    text: str
    language: str
    category: str
    sentiment: str
    reasons: tuple[str, ...]
    information_only: bool
    source: str = "shipped"
    """shipped, or person: a customer's own words, which are nobody else's to read."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody of the team says a ticket's last message should have been taken for."""

    category: str
    sentiment: str
    reasons: tuple[str, ...]


def read_shipped() -> list[Example]:
    """The examples that come with the code, by their text as `list_examples` gives them."""
    rows = [json.loads(line) for line in SHIPPED.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [read_example(number, row) for number, row in enumerate(sorted(rows, key=lambda row: row["text"]), start=1)]


def read_example(number: int, row: dict[str, Any]) -> Example:
    return Example(**{**row, "id": number, "reasons": tuple(row["reasons"])})


async def install_shipped(conn: Connection, lines: str) -> None:
    """Make the shipped rows equal to these JSON lines; what people corrected stays as they left it."""
    await conn.execute(
        """
        with given as (
          select distinct on (row->>'text') row->>'text' as text, row->>'language' as language,
                 row->>'category' as category, row->>'sentiment' as sentiment,
                 array(select jsonb_array_elements_text(row->'reasons')) as reasons,
                 (row->>'information_only')::boolean as information_only
            from (select line::jsonb as row from regexp_split_to_table($1, '\n') line where line <> '') parsed),
        gone as (
          delete from examples where source = 'shipped' and content_hash not in (select content_hash(text) from given))
        insert into examples (text, language, category, sentiment, reasons, information_only, source)
        select text, language, category, sentiment, reasons, information_only, 'shipped' from given
        on conflict (content_hash, source) do update
          set language = excluded.language, category = excluded.category, sentiment = excluded.sentiment,
              reasons = excluded.reasons, information_only = excluded.information_only, changed_at = now()
         where (examples.language, examples.category, examples.sentiment, examples.reasons, examples.information_only)
               is distinct from
               (excluded.language, excluded.category, excluded.sentiment, excluded.reasons, excluded.information_only)
        """,
        lines,
    )


async def find_stamp(conn: Connection) -> str:
    """Changes whenever an example does."""
    stamp: str = await conn.fetchval("select concat_ws(' ', count(*), max(changed_at), max(id)) from examples")
    return stamp


async def list_examples(conn: Connection) -> list[Example]:
    """At most MOST of them, people's before shipped ones, by their text: the same ones in the same order."""
    rows = await conn.fetch(
        """
        with known as (
          select distinct on (content_hash) id, text, language, category, sentiment, reasons, information_only, source,
                 changed_at
            from examples order by content_hash, source = 'person' desc),
        newest as (select * from known order by source = 'person' desc, changed_at desc, id limit $1)
        select id, text, language, category, sentiment, reasons, information_only, source
          from newest order by text collate "C"
        """,
        MOST,
    )
    return [Example(**{**row, "reasons": tuple(row["reasons"])}) for row in rows]


async def list_vectors(conn: Connection, model: str) -> dict[int, list[float]]:
    """The vectors of one model by example id."""
    rows = await conn.fetch(
        "select example_id, embedding::real[] as vector from example_embeddings where model = $1", model
    )
    return {row["example_id"]: row["vector"] for row in rows}


async def add_vectors(conn: Connection, model: str, ids: Sequence[int], vectors: Sequence[Sequence[float]]) -> None:
    """Store vectors of examples that are still there."""
    await conn.execute(
        """
        insert into example_embeddings (example_id, model, embedding)
        select examples.id, $1, made.vector::vector
          from unnest($2::bigint[], $3::text[]) made (id, vector) join examples using (id)
        on conflict do nothing
        """,
        model, list(ids), [format_vector(vector) for vector in vectors],
    )  # fmt: skip


async def correct_ticket(conn: Connection, reference: str, correction: Correction, who: Actor) -> str:
    """Keep what a person says of a ticket's last customer message. accepted, missing, or silent: nothing was said."""
    outcome: str = await conn.fetchval(
        "select correct_ticket($1, $2, $3, $4, $5)",
        reference, correction.category, correction.sentiment, list(correction.reasons), who,
    )  # fmt: skip
    return outcome


async def find_fit(conn: Connection, digest: str) -> bytes | None:
    """What was learnt of the examples, and by the code, that a digest stands for."""
    fit: bytes | None = await conn.fetchval(
        "update example_fits set made_at = now() where digest = $1 returning fit", digest
    )
    return fit


async def keep_fit(conn: Connection, digest: str, fit: bytes) -> None:
    """Keep what was learnt for the next process; what none has asked for in two days goes."""
    await conn.execute(
        """
        with kept as (insert into example_fits (digest, fit) values ($1, $2) on conflict do nothing)
        delete from example_fits where made_at < now() - interval '2 days'
        """,
        digest, fit,
    )  # fmt: skip


async def find_correction(conn: Connection, reference: str) -> Correction | None:
    """What the team said last of this ticket's messages; None when nobody corrected anything."""
    row = await conn.fetchrow(
        """
        select e.category, e.sentiment, e.reasons
          from tickets t join messages m on m.conversation_id = t.conversation_id
          join examples e on e.message_id = m.id
         where t.reference = $1 order by e.changed_at desc limit 1
        """,
        reference,
    )
    return Correction(row["category"], row["sentiment"], tuple(row["reasons"])) if row else None
