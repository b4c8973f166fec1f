"""Files that customers sent: the team sees them, nobody else, and no browser runs what is in them."""

from typing import Any
from uuid import UUID

import httpx2
import pytest

from db.attachments import NewAttachment, keep_attachment, list_attachments
from db.pool import Connection
from tests.app.desk import FORM, HTML, STAFF, answer_waiting, find_conversation, open_desk

PNG = b"\x89PNG\r\n\x1a\nstand-in"


async def keep(conn: Connection, *files: tuple[str, bytes | None], external_id: str = "m1") -> list[UUID]:
    """Files of one message by type and content; their ids. Without content they could not be fetched."""
    for place, (kind, content) in enumerate(files):
        error = "Twilio answered with status 404" if content is None else None
        await keep_attachment(conn, "web", NewAttachment(external_id, place, kind, content, None, error))
    return [row.id for row in await list_attachments(conn, "web", [external_id])]


async def submit_with_files(
    desk: httpx2.AsyncClient, conn: Connection, *files: tuple[str, bytes | None]
) -> tuple[str, list[UUID]]:
    """The path of a new ticket with its token, and the ids of the files of its message."""
    path = (await desk.post("/support/submit", json=FORM)).json()["status_url"]
    external_id = await conn.fetchval("select payload->>'external_id' from message_queue")
    return path.removeprefix("http://localhost:8000"), await keep(conn, *files, external_id=external_id)


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/gif", "image/webp"])
async def test_pictures_are_shown(database_url: str, conn: Connection, kind: str) -> None:
    [picture] = await keep(conn, (kind, PNG))
    async with open_desk(database_url) as desk:
        answer = await desk.get(f"/attachments/{picture}", headers=STAFF)
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"].startswith(f'inline; filename="{picture}.')


@pytest.mark.parametrize(
    "kind",
    ["text/html", "image/svg+xml", "text/xml", "application/pdf", "text/plain", "image/png; charset=x", "x\r\ny"],
)
async def test_everything_else_is_only_given_out_to_be_saved(database_url: str, conn: Connection, kind: str) -> None:
    [file] = await keep(conn, (kind, b"<script>alert(1)</script>"))
    async with open_desk(database_url) as desk:
        answer = await desk.get(f"/attachments/{file}", headers=STAFF)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_nobody_but_the_team_gets_a_file(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        path, [picture] = await submit_with_files(desk, conn, ("image/png", PNG))
        token = path.split("?")[1]
        for query in ("", f"?{token}"):
            assert (await desk.get(f"/attachments/{picture}{query}")).status_code == 401
            assert PNG not in (await desk.get(f"/attachments/{picture}{query}", headers=HTML)).content


async def test_what_is_not_there_is_not_found(database_url: str, conn: Connection) -> None:
    [missing] = await keep(conn, ("image/png", None))
    async with open_desk(database_url) as desk:
        for name in (missing, "018f0000-0000-7000-8000-000000000000", "nonsense", "%00"):
            assert (await desk.get(f"/attachments/{name}", headers=STAFF)).status_code == 404


async def test_a_conversation_lists_the_files_of_each_message(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        _, [picture, missing] = await submit_with_files(desk, conn, ("image/png", PNG), ("video/mp4", None))
        await answer_waiting(conn)
        found = await conn.fetchval("select id from conversations")
        shown: Any = (await desk.get(f"/conversations/{found}", headers=STAFF)).json()
    assert [message["attachments"] for message in shown["messages"]] == [
        [
            {"id": str(picture), "type": "image/png", "size": len(PNG), "text": None, "error": None},
            {
                "id": str(missing), "type": "video/mp4", "size": None, "text": None,
                "error": "Twilio answered with status 404",
            },
        ],
        [],
    ]  # fmt: skip


async def test_the_team_sees_the_files_of_a_conversation_and_its_customer_only_the_words(
    database_url: str, conn: Connection
) -> None:
    async with open_desk(database_url) as desk:
        files = (("image/png", PNG), ("application/pdf", b"%PDF-"), ("video/mp4", None), ("audio/ogg", b"OggS"))
        path, ids = await submit_with_files(desk, conn, *files)
        await conn.execute("update attachments set content = null where id = $1", ids[3])
        talk = await find_conversation(desk, path.split("/")[-1].split("?")[0])
        waiting = (await desk.get(talk, headers=STAFF | HTML)).text
        await answer_waiting(conn)
        answered = (await desk.get(talk, headers=STAFF | HTML)).text
        for_customer = [(await desk.get(path, headers=more)).text for more in (HTML, HTML | STAFF, {})]
    for page in (waiting, answered):
        assert f'<img src="/attachments/{ids[0]}"' in page
        assert f'<a href="/attachments/{ids[1]}" download>File (application/pdf, 1 kB)</a>' in page
        assert "could not be fetched: Twilio answered with status 404" in page
        assert "no longer kept" in page
        assert f"/attachments/{ids[2]}" not in page
        assert f"/attachments/{ids[3]}" not in page
    assert not any("attachments" in page for page in for_customer)


async def test_the_team_sees_the_files_of_the_same_customer_elsewhere(database_url: str, conn: Connection) -> None:
    async with open_desk(database_url) as desk:
        _, [picture] = await submit_with_files(desk, conn, ("image/png", PNG))
        await answer_waiting(conn)
        other = (await desk.post("/support/submit", json=FORM)).json()["ticket"]
        await answer_waiting(conn)
        await conn.execute("update conversations set customer_id = (select id from customers order by id limit 1)")
        page = (await desk.get(await find_conversation(desk, other), headers=STAFF | HTML)).text
    assert f'<img src="/attachments/{picture}"' in page
