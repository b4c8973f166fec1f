"""The team's pages of knowledge: what may be read, proposed, published and corrected there."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from app.gaps import group_questions
from app.line_diff import diff_lines
from app.personal import find_personal
from db.gaps import Unanswered, list_unanswered
from db.people import Actor
from db.pool import Connection
from tests.app.desk import HTML, STAFF, open_desk
from tests.app.people import add_person, open_browser
from tests.db.test_knowledge_desk import KIM, MAY, NOTHING, ask, cite, open_talk, publish, say, tell_and_change

ROBOT = STAFF | {"Accept": "application/json"}
NOW = datetime(2026, 1, 31, tzinfo=UTC)
ARTICLE = {"title": "Prices", "slug": "prices", "body": "Pro costs nine dollars a month.", "version": "0"}


async def browse(conn: Connection, role: Any = "manager") -> dict[str, str]:
    """A browser in which somebody of this role is logged in."""
    who: Actor = await add_person(conn, f"{role}@example.com", role)
    return HTML | await open_browser(conn, who)


async def press(desk: httpx2.AsyncClient, path: str, browser: dict[str, str], **fields: Any) -> httpx2.Response:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return await desk.post(path, data=fields, headers=browser | kind)


async def read(desk: httpx2.AsyncClient, path: str, browser: dict[str, str], expected: int = 200) -> str:
    page = await desk.get(path, headers=browser)
    assert page.status_code == expected, page.text
    return page.text


def field_of(page: str, name: str) -> str:
    """What a field of the page holds."""
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', page)
    found = found or re.search(rf'<textarea[^>]*name="{name}"[^>]*>\n?([^<]*)</textarea>', page)
    assert found is not None, name
    return found.group(1)


# The list and the page of an article


async def test_the_list_shows_every_article_and_how_often_it_is_cited(database_url: str, conn: Connection) -> None:
    await publish(conn, "Pro costs nine dollars.", plan="pro")
    await publish(conn, "Ask May.", slug="secret", title="Discounts", visibility="internal")
    await say(conn, await open_talk(conn), "Nine.", await cite(conn, "prices"))
    async with open_desk(database_url) as desk:
        browser = await browse(conn, "agent")
        page = await read(desk, "/knowledge", browser)
        found = await read(desk, "/knowledge?words=ask+may", browser)
        unused = await read(desk, "/knowledge?tab=unused", browser)
        robot = (await desk.get("/knowledge", headers=ROBOT)).json()
    assert "Cited 1 time in 30 days" in page
    assert "for the plan pro" in page
    assert "Discounts" in found
    assert "Prices" not in found
    assert "Prices" not in unused
    assert [(line["slug"], line["cited"]) for line in robot["articles"]] == [("prices", 1), ("secret", 0)]


async def test_where_not_every_answer_is_counted_the_list_says_of_how_many(database_url: str, conn: Connection) -> None:
    await publish(conn, "Pro costs nine dollars.")
    await conn.execute(
        """
        insert into messages (conversation_id, channel, direction, author, body, citations, idempotency_token, delivery)
        select $1, 'web', 'outbound', 'agent', 'Nine.', $2, gen_random_uuid(), 'sent' from generate_series(1, 10001)
        """,
        await open_talk(conn), await cite(conn, "prices"),
    )  # fmt: skip
    async with open_desk(database_url) as desk:
        page = await read(desk, "/knowledge", await browse(conn, "agent"))
    assert "Cited 10000 times in the newest 10,000 answers" in page


async def test_a_page_shows_who_wrote_which_version_and_what_changed(database_url: str, conn: Connection) -> None:
    await publish(conn, "Pro costs nine dollars.\n\nPaid monthly.")
    await publish(conn, "Pro costs ten dollars.\n\nPaid monthly.", who=KIM, based_on=1)
    async with open_desk(database_url) as desk:
        page = await read(desk, "/knowledge/prices?from=1&to=2", await browse(conn, "agent"))
    assert MAY.name in page
    assert KIM.name in page
    assert "- Pro costs nine dollars." in re.sub("<[^>]*>|Taken out: |Put in: ", "", page)
    assert "+ Pro costs ten dollars." in re.sub("<[^>]*>|Taken out: |Put in: ", "", page)


async def test_what_an_article_says_is_text_on_the_page_and_never_markup(database_url: str, conn: Connection) -> None:
    evil = "<script>alert(1)</script></textarea><img src=x onerror=alert(1)>"
    await publish(conn, f"{evil} costs", title=f"Prices {evil}")
    await propose(conn, evil)
    await ask(conn, await open_talk(conn, evil), evil, NOTHING)
    await say(conn, await open_talk(conn, evil), evil, await cite(conn, "prices"))
    await publish(conn, f"{evil} costs more", based_on=1, title=f"Prices {evil}")
    async with open_desk(database_url) as desk:
        browser = await browse(conn)
        for path in (
            "?tab=live",
            "?tab=gaps",
            "?tab=proposals",
            "/prices?from=1&to=2&question=costs",
            "/prices/misled",
        ):
            page = await read(desk, f"/knowledge{path}", browser)
            assert "<script>alert" not in page
            assert "<img src=x" not in page


@pytest.mark.parametrize(
    "path",
    ["nothing", "%00", "A", "new?proposal=x", f"new?proposal={UUID(int=1)}", "nothing/misled", "prices?from=x&to=1"],
)
async def test_what_is_not_there_is_not_found(database_url: str, conn: Connection, path: str) -> None:
    await publish(conn, "Nine.")
    async with open_desk(database_url) as desk:
        assert (await desk.get(f"/knowledge/{path}", headers=ROBOT)).status_code == 404


# Writing


async def test_a_new_article_is_published_and_signed(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        done = await press(
            desk, "/knowledge/publish", await browse(conn), **ARTICLE | {"slug": "", "questions": "How much?"}
        )
        assert (done.status_code, done.headers["location"]) == (303, "/knowledge/prices")
        shown = (await desk.get("/help/prices")).text
    assert "nine dollars" in shown
    row = await conn.fetchrow("select written_by, questions, updated is not null from knowledge_base")
    assert tuple(row or ()) == ("manager@example.com", ["How much?"], True)


async def test_saving_what_did_not_change_makes_no_version(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        browser = await browse(conn)
        await press(desk, "/knowledge/publish", browser, **ARTICLE)
        await conn.execute("update knowledge_base set updated = null")
        await conn.execute("update knowledge_base set content_hash = 'x'")
        done = await desk.post("/knowledge/publish", json=ARTICLE | {"version": 1}, headers=ROBOT)
        again = await desk.post("/knowledge/publish", json=ARTICLE | {"version": 2}, headers=ROBOT)
    assert (done.json()["status"], again.json()["status"], again.json()["version"]) == ("changed", "same", 2)


async def test_the_second_of_two_editors_is_told_and_keeps_every_word(database_url: str, conn: Connection) -> None:
    await publish(conn, "Pro costs nine dollars.")
    async with open_desk(database_url) as desk:
        browser = await browse(conn)
        page = await read(desk, "/knowledge/prices", browser)
        await publish(conn, "Pro costs ten dollars.", who=KIM, based_on=1)
        mine = ARTICLE | {"body": "Pro costs eleven dollars.", "version": field_of(page, "version")}
        told = await press(desk, "/knowledge/publish", browser, **mine)
        assert told.status_code == 409
        assert field_of(told.text, "body") == "Pro costs eleven dollars."
        assert "Version 2 was published while you wrote" in told.text
        assert "ten dollars" in told.text
        robot = await desk.post("/knowledge/publish", json=mine, headers=ROBOT)
        assert robot.status_code == 409
        again = await press(desk, "/knowledge/publish", browser, **mine | {"version": field_of(told.text, "version")})
        assert again.status_code == 303
    assert await conn.fetchval("select body from knowledge_base where state = 'live'") == "Pro costs eleven dollars."


async def test_an_article_that_was_retired_meanwhile_is_not_brought_back_unasked(
    database_url: str, conn: Connection
) -> None:
    await publish(conn, "Pro costs nine dollars.")
    async with open_desk(database_url) as desk:
        browser = await browse(conn)
        assert (await press(desk, "/knowledge/prices/retire", browser)).status_code == 303
        told = await press(desk, "/knowledge/publish", browser, **ARTICLE | {"version": "1"})
        assert told.status_code == 409
        assert "retired while you wrote" in told.text
        assert (await desk.get("/help/prices")).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", " "), ("body", ""), ("slug", "No Address"), ("slug", "new"), ("category", "x"), ("plan", "a b"),
        ("language", "english"), ("supersedes", "prices"), ("version", "-1"), ("questions", "q\n" * 201),
        ("body", "a" * 500_001),
    ],
)  # fmt: skip
async def test_a_field_that_cannot_be_taken_is_named_and_nothing_is_lost(
    database_url: str, conn: Connection, field: str, value: str
) -> None:
    async with open_desk(database_url) as desk:
        sent = ARTICLE | {"questions": "A question of mine"} | {field: value}
        told = await press(desk, "/knowledge/publish", await browse(conn), **sent)
        robot = await desk.post("/knowledge/publish", json=sent, headers=ROBOT)
    assert told.status_code == 422
    assert f'href="#{field}"' in told.text
    assert "A question of mine" in told.text or field == "questions"
    assert [error["field"] for error in robot.json()["errors"]] == [field]
    assert await conn.fetchval("select count(*) from knowledge_base") == 0


async def test_articles_that_would_take_each_others_place_are_refused_with_the_text_kept(
    database_url: str, conn: Connection
) -> None:
    await publish(conn, "New.", slug="new-prices", supersedes="prices")
    async with open_desk(database_url) as desk:
        browser = await browse(conn)
        for path in ("publish", "preview"):
            sent = ARTICLE | {"supersedes": "new-prices", "question": "pro"}
            told = await press(desk, f"/knowledge/{path}", browser, **sent)
            assert told.status_code == 422
            assert field_of(told.text, "body") == ARTICLE["body"]


async def test_a_preview_shows_the_cut_and_what_would_be_found_and_keeps_nothing(
    database_url: str, conn: Connection
) -> None:
    words = "It is paid once a month, by card or by invoice, and ends when you end it. " * 4
    body = f"## Pro\n\nNine dollars. {words}\n\n## Team\n\nForty dollars. {words}"
    async with open_desk(database_url) as desk:
        sent = ARTICLE | {"body": body, "question": "forty dollars"}
        page = await press(desk, "/knowledge/preview", await browse(conn, "agent"), **sent)
        robot = (await desk.post("/knowledge/preview", json=sent, headers=ROBOT)).json()
    assert "Cut into 2 passages" in page.text
    assert [passage["heading"] for passage in robot["passages"]] == ["Pro", "Team"]
    assert robot["found"][0]["heading"] == "Team"
    assert await conn.fetchval("select count(*) from knowledge_base") == 0


async def test_a_question_is_tried_on_what_is_published(database_url: str, conn: Connection) -> None:
    await publish(conn, "Pro costs nine dollars.")
    async with open_desk(database_url) as desk:
        page = await read(desk, "/knowledge/prices?question=what+does+pro+cost", await browse(conn, "agent"))
    assert "version 1, score" in page


# Files


def upload(content: bytes, name: str = "prices.md") -> dict[str, Any]:
    return {"file": (name, content, "text/markdown")}


async def test_a_file_fills_the_form_and_keeps_nothing(database_url: str, conn: Connection) -> None:
    matter = "---\ntitle: Returns\ncategory: billing\nquestions:\n  - Can I bring it back?\n---\nWithin two weeks."
    async with open_desk(database_url) as desk:
        browser = await browse(conn)
        for path in ("preview", "publish"):
            page = await desk.post(
                f"/knowledge/{path}", data={"version": "0"}, files=upload(matter.encode()), headers=browser
            )
            assert page.status_code == 200
            filled = {name: field_of(page.text, name) for name in ("title", "body", "questions", "slug")}
            assert filled == {
                "title": "Returns", "body": "Within two weeks.", "questions": "Can I bring it back?", "slug": "returns"
            }  # fmt: skip
            assert "<option selected>billing</option>" in page.text
    assert await conn.fetchval("select count(*) from knowledge_base") == 0


async def test_a_pasted_file_fills_the_form_too(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        sent = {"title": "x", "body": "---\r\ntitle: Returns\r\n---\r\nWithin two weeks.", "version": "0"}
        page = await press(desk, "/knowledge/publish", await browse(conn), **sent)
    assert (field_of(page.text, "title"), field_of(page.text, "body")) == ("Returns", "Within two weeks.")


async def test_a_file_changes_the_article_whose_page_it_is_sent_from(database_url: str, conn: Connection) -> None:
    await publish(conn, "Nine.")
    async with open_desk(database_url) as desk:
        fields = {"version": "1", "slug": "prices"}
        page = await desk.post(
            "/knowledge/preview", data=fields, files=upload(b"# New prices\n\nTen."), headers=await browse(conn)
        )
    assert (field_of(page.text, "slug"), field_of(page.text, "version")) == ("prices", "1")
    assert field_of(page.text, "body") == "Ten."


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "kb import"), (b"a\x00b", "not a text"), (b"a" * 1_000_001, "larger than 1 MB"),
        (b"---\ntitle: [\n---\nx", "not valid YAML"), (b"---\ntitle: x\n---\n", "no text below"),
    ],
)  # fmt: skip
async def test_a_file_that_cannot_be_read_is_refused_with_the_reason(
    database_url: str, conn: Connection, content: bytes, told: str
) -> None:
    async with open_desk(database_url) as desk:
        page = await desk.post("/knowledge/preview", data=ARTICLE, files=upload(content), headers=await browse(conn))
    assert page.status_code == 422
    assert told in page.text


async def test_an_article_of_half_a_million_letters_may_be_sent_and_more_than_that_not(
    database_url: str, conn: Connection
) -> None:
    async with open_desk(database_url) as desk:
        browser = await browse(conn)
        whole = ARTICLE | {"body": "ä " * 200_000}
        page = await desk.post("/knowledge/preview", data=whole, files={"file": ("", b"")}, headers=browser)
        assert page.status_code == 200
        flood = await desk.post("/knowledge/preview", data={"body": "ä" * 4_000_000}, headers=browser)
        assert flood.status_code == 413
        elsewhere = await desk.post("/team/keys", data={"name": "a" * 200_000}, headers=browser | STAFF)
        assert elsewhere.status_code == 413


# Roles


async def test_who_may_not_publish_may_propose_a_change(database_url: str, conn: Connection) -> None:
    await publish(conn, "Pro costs nine dollars.")
    async with open_desk(database_url) as desk:
        kim = await browse(conn, "agent")
        page = await read(desk, "/knowledge/prices", kim)
        assert ">Publish<" not in page
        mine = ARTICLE | {"body": "Pro costs ten dollars.", "version": "1", "plan": "pro"}
        assert (await press(desk, "/knowledge/publish", kim, **mine)).status_code == 403
        assert (await press(desk, "/knowledge/proposals", kim, **mine)).status_code == 303
        may = await browse(conn)
        proposals = await read(desk, "/knowledge?tab=proposals", may)
        [path] = re.findall(r'href="(/knowledge/prices\?proposal=[^"]+)"', proposals)
        opened = await read(desk, path, may)
        sent = {name: field_of(opened, name) for name in ("title", "body", "slug", "version", "plan", "proposal")}
        assert (sent["body"], sent["plan"]) == ("Pro costs ten dollars.", "pro")
        assert (await press(desk, "/knowledge/publish", may, **sent)).status_code == 303
        assert "Nothing is proposed" in await read(desk, "/knowledge?tab=proposals", may)
    assert await conn.fetchval("select decided_by from article_proposals") == "manager@example.com"


async def propose(conn: Connection, text: str) -> None:
    await conn.execute("select propose_article($1, null, null, $2, $2, '{}', '{}', null)", KIM, text)


async def test_a_declined_proposal_is_gone_from_the_list(database_url: str, conn: Connection) -> None:
    await propose(conn, "Something")
    made = await conn.fetchval("select id from article_proposals")
    async with open_desk(database_url) as desk:
        browser = await browse(conn)
        assert (await press(desk, f"/knowledge/proposals/{made}/decline", browser)).status_code == 303
        assert "Nothing is proposed" in await read(desk, "/knowledge?tab=proposals", browser)
        assert (await press(desk, f"/knowledge/proposals/{uuid4()}/decline", browser)).status_code == 404


# From what was said


async def test_an_answer_of_a_person_becomes_a_proposal_whose_personal_words_are_pointed_out(
    database_url: str, conn: Connection
) -> None:
    talk = await open_talk(conn)
    text = "Dear Ana, your order 48151623 goes to ana@example.org. We ship to Peru."
    said = await say(conn, talk, text, [], author="person")
    async with open_desk(database_url) as desk:
        browser = await browse(conn, "agent")
        page = await press(desk, "/knowledge/proposals", browser, message=str(said))
        assert page.status_code == 200
        hints = re.findall(r'<li dir="auto">([^<]*)</li>', page.text)
        assert hints == ["an e-mail address, ana@example.org", "a number, 48151623", "the customer&#39;s name, ana"]
        assert field_of(page.text, "body") == text
        assert await conn.fetchval("select count(*) from article_proposals") == 0
        kept = await press(
            desk, "/knowledge/proposals", browser, message=str(said), title="Peru", body="We ship to Peru.", slug=""
        )
        assert kept.status_code == 303
    row = await conn.fetchrow("select body, source_message, source_conversation, slug, state from article_proposals")
    assert tuple(row or ()) == ("We ship to Peru.", said, talk, None, "proposed")


async def test_what_is_added_to_an_article_stands_at_its_end_for_the_manager(
    database_url: str, conn: Connection
) -> None:
    await publish(conn, "Pro costs nine dollars.")
    said = await say(conn, await open_talk(conn), "Students pay half.", [], author="person")
    async with open_desk(database_url) as desk:
        added = {"message": str(said), "title": "Students", "body": "Students pay half.", "slug": "prices"}
        assert (await press(desk, "/knowledge/proposals", await browse(conn, "agent"), **added)).status_code == 303
        made = await conn.fetchval("select id from article_proposals")
        page = await read(desk, f"/knowledge/prices?proposal={made}", await browse(conn))
    assert field_of(page, "body") == "Pro costs nine dollars.\n\n## Students\n\nStudents pay half."
    assert field_of(page, "version") == "1"


async def test_a_gap_is_listed_once_with_all_who_asked_and_becomes_a_proposal(
    database_url: str, conn: Connection
) -> None:
    talks = [await open_talk(conn), await open_talk(conn), await open_talk(conn)]
    await ask(conn, talks[0], "Do you ship to Peru?", NOTHING)
    await ask(conn, talks[1], "Do you also ship parcels to Peru?", NOTHING)
    await ask(conn, talks[2], "Is there a dark theme?", NOTHING)
    await say(conn, talks[0], "We ship to Peru by boat.", [], author="person")
    async with open_desk(database_url) as desk:
        browser = await browse(conn, "agent")
        page = await read(desk, "/knowledge?tab=gaps", browser)
        assert "Asked in 2 conversations" in page
        assert all(f"/conversations/{talk}" in page for talk in talks)
        first = re.findall(r'name="message" value="([^"]+)"', page)[0]
        form = await press(desk, "/knowledge/proposals", browser, message=first)
    assert field_of(form.text, "body") == "We ship to Peru by boat."
    assert field_of(form.text, "questions") == "Do you also ship parcels to Peru?\nDo you ship to Peru?"


async def group(conn: Connection, questions: Sequence[str]) -> list[int]:
    """How many questions each group has, as the database stems them."""
    for question in questions:
        await ask(conn, await open_talk(conn), question, NOTHING)
    return [len(gap.questions) for gap in group_questions(await list_unanswered(conn))]


@pytest.mark.parametrize(
    ("questions", "sizes"),
    [
        (["How do I export invoices?", "exporting my invoices, how?", "Export the invoice"], [3]),
        (["How do I export invoices?", "Where is my parcel?"], [1, 1]),
        (["???", "???", "!!!"], [2, 1]),
    ],
)
async def test_questions_are_together_when_they_share_most_of_their_words(
    conn: Connection, questions: Sequence[str], sizes: list[int]
) -> None:
    assert await group(conn, questions) == sizes


def test_questions_in_two_languages_are_never_one() -> None:
    def question(language: str) -> Unanswered:
        return Unanswered(uuid4(), uuid4(), f"App in {language}", NOW, language, ["app"], "", is_proposed=False)

    assert len(group_questions([question("en"), question("de"), question("en")])) == 2


# Who was told something else


async def test_a_manager_has_those_corrected_who_were_told_something_wrong(database_url: str, conn: Connection) -> None:
    misled, _ = await tell_and_change(conn)
    async with open_desk(database_url) as desk:
        may = await browse(conn)
        assert "1 answer sent stands on words" in await read(desk, "/knowledge/prices", may)
        page = await read(desk, "/knowledge/prices/misled", may)
        assert "nine dollars" in page
        assert "ten dollars" in page
        [reply] = re.findall(r'name="reply" value="([^"]+)"', page)
        assert 'name="reply"' not in await read(desk, "/knowledge/prices/misled", await browse(conn, "agent"))
        done = await press(desk, "/knowledge/prices/misled", may, reply=[reply, str(uuid4())])
        assert "1 correction waits for approval" in await read(desk, done.headers["location"], may)
        again = await desk.post("/knowledge/prices/misled", json={"reply": [reply]}, headers=ROBOT)
        assert again.json() == {"drafted": 0, "waiting": 0}
    [draft] = await conn.fetch("select conversation_id, body, citations, note from drafts")
    assert draft["conversation_id"] == misled
    assert "Pro costs ten dollars." in draft["body"]
    assert draft["citations"] == await cite_now(conn, "prices")
    assert "prices is in version 2 now" in draft["note"]


async def cite_now(conn: Connection, slug: str) -> list[dict[str, Any]]:
    [cited] = await cite(conn, slug)
    return [cited | {"url": f"/help/{slug}?version={cited['version']}"}]


async def test_two_answers_of_one_conversation_are_corrected_by_one_draft(database_url: str, conn: Connection) -> None:
    await publish(conn, "Pro costs nine dollars.")
    talk = await open_talk(conn)
    replies = [str(await say(conn, talk, "Nine.", await cite(conn, "prices"))) for _ in range(2)]
    await publish(conn, "Pro costs ten dollars.", based_on=1)
    async with open_desk(database_url) as desk:
        done = await desk.post("/knowledge/prices/misled", json={"reply": replies}, headers=ROBOT)
    assert done.json() == {"drafted": 1, "waiting": 0}
    assert (await conn.fetchval("select body from drafts")).count("ten dollars") == 1
    assert await conn.fetchval("select count(*) from article_corrections") == 2


@pytest.mark.parametrize("change", ["retired", "internal"])
async def test_a_correction_quotes_nothing_that_customers_may_not_read(
    database_url: str, conn: Connection, change: str
) -> None:
    await publish(conn, "Pro costs nine dollars.")
    reply = str(await say(conn, await open_talk(conn), "Nine.", await cite(conn, "prices")))
    async with open_desk(database_url) as desk:
        if change == "retired":
            await desk.post("/knowledge/prices/retire", headers=ROBOT)
        else:
            await publish(conn, "Pro costs ten dollars.", visibility="internal", based_on=1)
        await desk.post("/knowledge/prices/misled", json={"reply": [reply]}, headers=ROBOT)
    [draft] = await conn.fetch("select body, citations from drafts")
    assert "dollars" not in draft["body"]
    assert draft["citations"] == []


@pytest.mark.parametrize("reply", ["x", ["x"], 5, {"a": 1}])
async def test_what_is_no_answer_is_refused(database_url: str, conn: Connection, reply: Any) -> None:
    await publish(conn, "Nine.")
    async with open_desk(database_url) as desk:
        answer = await desk.post("/knowledge/prices/misled", json={"reply": reply}, headers=ROBOT)
    assert answer.status_code == 422


async def test_drafting_corrections_with_nothing_ticked_says_so(database_url: str, conn: Connection) -> None:
    await tell_and_change(conn)
    path, words = "/knowledge/prices/misled", "Nothing is ticked. Tick the answers that told somebody something wrong."
    async with open_desk(database_url) as desk:
        page = await press(desk, path, await browse(conn))
        assert page.status_code == 422
        assert words in page.text
        assert 'name="reply"' in page.text
        told = await desk.post(path, json={"reply": []}, headers=ROBOT)
        assert (told.status_code, told.json()["detail"]) == (422, words)
    assert await conn.fetchval("select count(*) from drafts") == 0


async def test_a_mistake_in_an_article_is_told_by_the_name_of_its_field(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        page = await press(desk, "/knowledge/publish", await browse(conn), **(ARTICLE | {"body": " "}))
    assert page.status_code == 422
    assert '<a href="#body">Text</a>: Please fill this in.' in page.text


# Words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to jo.doe@mail.example.co.uk.", ["an e-mail address, jo.doe@mail.example.co.uk"]),
        ("Call +44 20 7946 0000 now", ["a number, +44 20 7946 0000"]),
        ("Ticket TF-20260131-7KQ2 is closed", ["a number, TF-20260131-7KQ2"]),
        ("Thank you, Mrs Lindqvist!", ["the customer's name, lindqvist"]),
        ("It costs 9 dollars, or 120 a year, from step 3 on.", []),
        ("We li.", []),
    ],
)
def test_what_belongs_to_one_customer_is_pointed_out(text: str, found: list[str]) -> None:
    assert find_personal(text, "Li Lindqvist", ["li@example.com"]) == found


def test_a_diff_shows_the_lines_around_a_change_and_how_many_more_there_are() -> None:
    old = [f"line {at}" for at in range(20)]
    new = [*old[:10], "another", *old[11:]]
    shown = [(line.kind, line.text) for line in diff_lines("\n".join(old), "\n".join(new))]
    assert shown[0] == ("skipped", "7 lines that are the same")
    assert shown[4:6] == [("gone", "line 10"), ("new", "another")]
    assert shown[-1] == ("skipped", "6 lines that are the same")
    assert diff_lines("a\nb", "a\nb") == []
