"""What the team may rely on when it mends the knowledge: nobody's words are lost, and nobody misled is overlooked."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from db import knowledge
from db.articles import WrittenArticle, cut_article
from db.gaps import Unanswered, list_unanswered
from db.knowledge_desk import Shelf, list_shelf, list_versions, load_text, try_out
from db.misled import NewCorrection, Told, count_told, draft_correction, list_told
from db.people import Actor
from db.pool import Connection, Pool
from db.proposals import NewProposal, decide_proposal, list_proposals, load_proposal, load_source, propose_article
from db.publishing import EditConflict, Published, publish_article, retire_article
from db.search import PassageSearch, search_passages

MAY = Actor("person", uuid4(), "may@example.com", "manager")
KIM = Actor("person", uuid4(), "kim@example.com", "manager")
PRICES = "## Pro\n\nPro costs nine dollars a month.\n\n## Team\n\nTeam costs forty dollars a month."
LONG = "It is paid once a month, by card or by invoice, and ends at the end of the month in which you end it. " * 3


async def publish(conn: Connection, body: str, *, who: Actor = MAY, based_on: int = 0, **fields: Any) -> Published:
    article = cut_article(WrittenArticle(fields.pop("slug", "prices"), fields.pop("title", "Prices"), body, **fields))
    return await publish_article(conn, who, article, based_on=based_on)


async def open_talk(conn: Connection, name: str = "Ana Pérez") -> UUID:
    customer: UUID = await conn.fetchval("insert into customers (name) values ($1) returning id", name)
    talk: UUID = await conn.fetchval(
        "insert into conversations (channel, thread_key, customer_id) values ('web', $1, $2) returning id",
        uuid4().hex, customer,
    )  # fmt: skip
    return talk


async def cite(conn: Connection, slug: str, place: int = 0) -> list[dict[str, Any]]:
    """A citation of a passage of the live version."""
    version = await knowledge.find_live(conn, slug)
    assert version is not None
    passage = (await knowledge.list_passages(conn, version.id))[place]
    return [{"passage": passage.id, "version": version.version, "slug": slug, "title": "Prices", "url": None}]


async def say(conn: Connection, talk: UUID, body: str, cited: list[dict[str, Any]], **changed: Any) -> UUID:
    """An answer that was sent; its id."""
    row = {"delivery": "sent", "reply_id": None, "part": 1, "parts": 1, "author": "agent"} | changed
    said: UUID = await conn.fetchval(
        """
        insert into messages (conversation_id, channel, direction, author, body, citations, idempotency_token, delivery,
                              reply_id, part, parts)
        values ($1, 'web', 'outbound', $8, $2, $3, gen_random_uuid(), $4, $5, $6, $7) returning id
        """,
        talk, body, cited, row["delivery"], row["reply_id"], row["part"], row["parts"], row["author"],
    )  # fmt: skip
    return said


async def ask(
    conn: Connection, talk: UUID, text: str, *outputs: str, outcome: str = "asked", reason: str | None = None
) -> UUID:
    """A question, and the turn that searched for it with these outputs; the id of the question."""
    turn: UUID = await conn.fetchval(
        """
        insert into turns (conversation_id, lane, newest, token, epoch, state, outcome)
        values ($1, 'web:x', 1, 1, 0, 'done', $2) returning id
        """,
        talk, outcome,
    )  # fmt: skip
    results = [{"call_id": str(at), "output": output, "refused": False} for at, output in enumerate(outputs)]
    effects = [{"kind": "escalate", "reason": reason}] if reason else []
    await conn.execute(
        "insert into turn_steps (turn_id, step, model, items, results, effects, latency_ms)"
        " values ($1, 1, 'm', '[]', $2, $3, 1)",
        turn, results, effects,
    )  # fmt: skip
    message: UUID = await conn.fetchval(
        """
        insert into messages (conversation_id, channel, direction, author, external_id, body, turn_id)
        values ($1, 'web', 'inbound', 'customer', $2, $3, $4) returning id
        """,
        talk, uuid4().hex, text, turn,
    )  # fmt: skip
    return message


NOTHING, SOMETHING = '{"results": [], "confidence": "none"}', '{"results": [{}], "confidence": "high"}'


async def count_audit(conn: Connection, action: str) -> int:
    return int(await conn.fetchval("select count(*) from audit where action = $1", action))


# Publishing


async def test_of_two_who_start_from_the_same_version_the_second_is_told(conn: Connection) -> None:
    await publish(conn, PRICES)
    await publish(conn, PRICES.replace("nine", "ten"), who=KIM, based_on=1)
    with pytest.raises(EditConflict) as told:
        await publish(conn, PRICES.replace("forty", "fifty"), based_on=1)
    assert told.value.version == 2
    assert "forty" in (await load_text(conn, "prices")).body
    assert [one.version for one in await list_versions(conn, "prices")] == [2, 1]


async def test_two_who_publish_at_the_same_moment_are_one_and_one_conflict(pool: Pool, conn: Connection) -> None:
    await publish(conn, PRICES)

    async def change(word: str) -> str:
        async with pool.acquire() as mine:
            try:
                await publish(mine, PRICES.replace("nine", word), based_on=1)
            except EditConflict:
                return "conflict"
            return "kept"

    assert sorted(await asyncio.gather(*[change(word) for word in ("ten", "eleven")])) == ["conflict", "kept"]


async def test_a_name_that_is_taken_is_not_written_over_by_a_new_article(conn: Connection) -> None:
    await publish(conn, PRICES)
    with pytest.raises(EditConflict):
        await publish(conn, "Something else.")


async def test_a_version_keeps_who_published_it(conn: Connection) -> None:
    await publish(conn, PRICES)
    await publish(conn, "Nothing costs anything.", who=KIM, based_on=1)
    assert [one.written_by for one in await list_versions(conn, "prices")] == [KIM.name, MAY.name]
    assert await count_audit(conn, "article_published") == 2


async def test_publishing_the_same_words_makes_no_version(conn: Connection) -> None:
    await publish(conn, PRICES)
    assert (await publish(conn, PRICES, based_on=1)).status == "same"
    assert await count_audit(conn, "article_published") == 1


async def test_what_is_published_is_found_at_once_and_indexed_later(conn: Connection) -> None:
    done = await publish(conn, PRICES)
    [found, *_] = await search_passages(conn, PassageSearch(["nine dollars"], [1.0]))
    assert found.slug == "prices"
    assert await conn.fetchval("select payload->>'article_id' from message_queue") == str(done.article_id)


async def test_a_retired_article_is_not_found_and_may_be_published_again(conn: Connection) -> None:
    await publish(conn, PRICES)
    await retire_article(conn, "prices", KIM)
    assert await search_passages(conn, PassageSearch(["nine dollars"], [1.0])) == []
    [line] = await list_shelf(conn, "retired", "", after="", limit=9)
    assert (line.slug, line.written_by) == ("prices", KIM.name)
    assert await count_audit(conn, "article_retired") == 1
    assert (await publish(conn, PRICES)).version == 2
    assert await list_shelf(conn, "retired", "", after="", limit=9) == []


async def test_trying_a_text_out_finds_it_and_keeps_nothing(conn: Connection) -> None:
    await publish(conn, PRICES)
    draft = cut_article(WrittenArticle("prices", "Prices", "Gold costs a hundred dollars."))
    [found] = await try_out(conn, draft, PassageSearch(["gold"], [1.0]))
    assert (found.text, found.version) == ("Gold costs a hundred dollars.", 2)
    assert await search_passages(conn, PassageSearch(["gold"], [1.0])) == []
    assert (await load_text(conn, "prices")).version == 1
    assert await conn.fetchval("select count(*) from search_lexemes where lexeme = 'gold'") == 0


# Use


async def test_an_article_is_counted_once_for_an_answer_in_several_parts(conn: Connection) -> None:
    await publish(conn, PRICES)
    await publish(conn, "Bring it back within two weeks.", slug="returns", title="Returns")
    talk, reply = await open_talk(conn), uuid4()
    cited = await cite(conn, "prices")
    for part in (1, 2):
        await say(conn, talk, "Nine.", cited, reply_id=reply, part=part, parts=2)
    await say(conn, talk, "Never sent.", cited, delivery="cancelled")
    await say(conn, talk, "Nine again.", cited)
    assert {line.slug: line.cited for line in await list_shelf(conn, "live", "", after="", limit=9)} == {
        "prices": 2,
        "returns": 0,
    }
    assert [line.slug for line in await list_shelf(conn, "unused", "", after="", limit=9)] == ["returns"]


async def test_of_many_answers_the_newest_are_counted_and_the_list_says_so(conn: Connection) -> None:
    for slug in ("prices", "returns", "offers"):
        await publish(conn, f"About {slug}.", slug=slug, title=slug)
    talk = await open_talk(conn)
    for days, slug in ((40, "offers"), (3, "returns"), (2, "prices"), (1, "prices")):
        said = await say(conn, talk, "So.", await cite(conn, slug))
        await conn.execute(
            "update messages set sent_at = now() - $2::interval where id = $1", said, timedelta(days=days)
        )

    async def look(shelf: Shelf, newest: int) -> dict[str, tuple[int, bool]]:
        lines = await list_shelf(conn, shelf, "", after="", limit=9, newest=newest)
        return {line.slug: (line.cited, line.is_cut) for line in lines}

    assert await look("live", 4) == {"offers": (0, False), "prices": (2, False), "returns": (1, False)}
    assert await look("live", 2) == {"offers": (0, True), "prices": (2, True), "returns": (0, True)}
    assert await look("unused", 2) == {}


async def test_articles_are_found_by_their_text_and_signs_mean_themselves(conn: Connection) -> None:
    await publish(conn, "We take 5% off.", slug="offers", title="Offers")
    await publish(conn, PRICES)
    assert [line.slug for line in await list_shelf(conn, "live", "5%", after="", limit=9)] == ["offers"]
    assert await list_shelf(conn, "live", "%", after="offers", limit=9) == []


# Gaps


async def test_a_question_that_nothing_was_found_for_is_a_gap(conn: Connection) -> None:
    talk = await open_talk(conn)
    asked = await ask(conn, talk, "Do you ship to Peru?", NOTHING, NOTHING)
    await say(conn, talk, "Yes, we do.", [], author="person")
    [gap] = await list_unanswered(conn)
    assert (gap.message_id, gap.text, gap.reply, gap.is_proposed) == (
        asked,
        "Do you ship to Peru?",
        "Yes, we do.",
        False,
    )
    assert "peru" in gap.stems


async def test_a_question_that_a_person_got_for_want_of_an_answer_is_a_gap(conn: Connection) -> None:
    await ask(conn, await open_talk(conn), "Why?", SOMETHING, outcome="escalated", reason="no_answer")
    assert len(await list_unanswered(conn)) == 1


@pytest.mark.parametrize(
    ("outputs", "outcome", "reason"),
    [
        ((NOTHING, SOMETHING), "asked", None),
        ((NOTHING,), "answered", None),
        ((), "escalated", "billing_dispute"),
        (("{}",), "asked", None),
    ],
)
async def test_what_was_found_or_never_looked_for_is_no_gap(
    conn: Connection, outputs: tuple[str, ...], outcome: str, reason: str | None
) -> None:
    await ask(conn, await open_talk(conn), "Why?", *outputs, outcome=outcome, reason=reason)
    assert await list_unanswered(conn) == []


async def test_a_gap_knows_that_an_article_is_proposed_for_it(conn: Connection) -> None:
    asked = await ask(conn, await open_talk(conn), "Do you ship to Peru?", NOTHING)

    async def look() -> Unanswered:
        [gap] = await list_unanswered(conn)
        return gap

    made = await propose_article(conn, KIM, NewProposal("Shipping", "We do.", source_message=asked))
    assert (await look()).is_proposed
    await decide_proposal(conn, MAY, made, "declined")
    assert not (await look()).is_proposed


# Proposals


async def test_a_proposal_is_decided_once(conn: Connection) -> None:
    made = await propose_article(conn, KIM, NewProposal("Shipping", "We do.", questions=("Do you ship?",)))
    assert [one.id for one in await list_proposals(conn, limit=9)] == [made]
    assert await decide_proposal(conn, MAY, made, "published") == "accepted"
    assert await decide_proposal(conn, MAY, made, "published") == "repeated"
    assert await decide_proposal(conn, MAY, made, "declined") == "decided"
    assert await decide_proposal(conn, MAY, uuid4(), "declined") == "missing"
    assert await list_proposals(conn, limit=9) == []
    assert (await load_proposal(conn, made)).questions == ["Do you ship?"]


async def test_a_source_is_the_whole_answer_with_what_the_customer_is_called(conn: Connection) -> None:
    talk, reply = await open_talk(conn), uuid4()
    first = await say(conn, talk, "First.", [], reply_id=reply, parts=2, author="person")
    await say(conn, talk, "Then.", [], reply_id=reply, part=2, parts=2, author="person")
    source = await load_source(conn, first)
    assert (source.text, source.names, source.author) == ("First.\n\nThen.", "Ana Pérez", "person")


# Who was told what does not hold any more


async def tell_and_change(conn: Connection) -> tuple[UUID, UUID]:
    """Two customers told of a price each, in passages of their own, one of which then changes: who was, who was not."""
    old = f"## Pro\n\nPro costs nine dollars.\n\n{LONG}\n\n## Team\n\nTeam costs forty dollars.\n\n{LONG}"
    await publish(conn, old)
    misled, right = await open_talk(conn), await open_talk(conn, "Bo")
    await say(conn, misled, "Pro costs nine dollars.", await cite(conn, "prices", 0))
    await say(conn, right, "Team costs forty dollars.", await cite(conn, "prices", 1))
    await publish(conn, old.replace("nine", "ten"), based_on=1)
    return misled, right


async def test_only_those_are_listed_whose_passage_has_changed(conn: Connection) -> None:
    misled, _ = await tell_and_change(conn)
    [told] = await list_told(conn, "prices", limit=9)
    assert (told.conversation_id, told.said, told.version) == (misled, "Pro costs nine dollars.", 1)
    assert told.old_text.startswith("Pro costs nine dollars.")
    assert told.new_text is not None
    assert told.new_text.startswith("Pro costs ten dollars.")


async def test_what_was_never_sent_misled_nobody(conn: Connection) -> None:
    await publish(conn, "Pro costs nine dollars.")
    for delivery in ("pending", "cancelled", "failed"):
        await say(conn, await open_talk(conn), "Nine.", await cite(conn, "prices"), delivery=delivery)
    await publish(conn, "Pro costs ten dollars.", based_on=1)
    assert await list_told(conn, "prices", limit=9) == []


async def test_all_that_stood_on_a_retired_article_is_listed_with_nothing_in_its_place(conn: Connection) -> None:
    await tell_and_change(conn)
    await retire_article(conn, "prices", MAY)
    told = await list_told(conn, "prices", limit=9)
    assert len(told) == 2
    assert {one.new_text for one in told} == {None}


async def test_a_passage_that_has_nothing_in_common_takes_nobodys_place(conn: Connection) -> None:
    await publish(conn, f"## Returns\n\nBring it back within two weeks. {LONG}", slug="shop", title="Shop")
    await say(conn, await open_talk(conn), "Two weeks.", await cite(conn, "shop"))
    await publish(conn, "## Hours\n\nOpen from nine.", slug="shop", title="Shop", based_on=1)
    [told] = await list_told(conn, "shop", limit=9)
    assert told.new_passage is None


async def test_newest_answers_come_first(conn: Connection) -> None:
    await publish(conn, "Pro costs nine dollars.")
    said = [await say(conn, await open_talk(conn), f"{at}", await cite(conn, "prices")) for at in range(3)]
    for days, message in enumerate(said):
        await conn.execute(
            "update messages set sent_at = now() - $2::interval where id = $1", message, timedelta(days=days)
        )
    await publish(conn, "Pro costs ten dollars.", based_on=1)
    assert [one.reply_id for one in await list_told(conn, "prices", limit=9)] == said


def correction(told: Told) -> NewCorrection:
    return NewCorrection([told.reply_id], told.article_id, "We have to correct.", [], "prices changed")


async def test_a_correction_waits_for_approval_and_nothing_is_sent(conn: Connection) -> None:
    misled, _ = await tell_and_change(conn)
    before = await conn.fetchval("select count(*) from messages")
    [told] = await list_told(conn, "prices", limit=9)
    assert await draft_correction(conn, MAY, correction(told)) == "accepted"
    draft = await conn.fetchrow("select conversation_id, source, state, category, note from drafts")
    assert tuple(draft or ()) == (misled, "correction", "pending", "general", "prices changed")
    assert await conn.fetchval("select count(*) from messages") == before
    assert (
        await conn.fetchval("select about from audit where action = 'correction_drafted'") == f"conversation:{misled}"
    )


async def test_nobody_is_corrected_twice_for_the_same_change(conn: Connection) -> None:
    await tell_and_change(conn)
    [told] = await list_told(conn, "prices", limit=9)
    assert await count_told(conn, "prices") == 1
    await draft_correction(conn, MAY, correction(told))
    await conn.execute("update drafts set state = 'approved', decided_at = now()")
    assert await draft_correction(conn, KIM, correction(told)) == "repeated"
    [again] = await list_told(conn, "prices", limit=9)
    assert again.corrected_by == MAY.name
    assert await count_told(conn, "prices") == 0


async def test_a_correction_that_is_not_decided_yet_is_not_written_over(conn: Connection) -> None:
    misled, _ = await tell_and_change(conn)
    [told] = await list_told(conn, "prices", limit=9)
    await conn.execute(
        "insert into drafts (conversation_id, channel, category, source, body)"
        " values ($1, 'web', 'general', 'correction', 'x')",
        misled,
    )
    assert await draft_correction(conn, MAY, correction(told)) == "waiting"
    assert await count_told(conn, "prices") == 1
    assert await conn.fetchval("select body from drafts") == "x"
