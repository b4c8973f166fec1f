"""What a customer's mail program gets: an answer in its thread, readable anywhere, marked as a machine's."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

from channels.base import OutgoingMessage
from channels.mail.parsed import ParsedMail
from channels.mail.senders import OwnMail, judge_mail
from channels.mail.threads import list_tokens, make_message_id
from channels.mail.writing import write_mail
from channels.mime import parse_mail

TOKEN = UUID("5f0c1a52-9a0d-4c0e-8f3b-2a8f0c6f1e11")
EARLIER = UUID("0a0c1a52-9a0d-4c0e-8f3b-2a8f0c6f1e11")
SENDER = "support@desk.example.com"
LONG_ID = "CAF" + "x" * 180 + "@mail.example.com"
MESSAGE = OutgoingMessage(
    id=TOKEN, token=TOKEN, channel="gmail", thread_key="t:ana@example.com", to="ana@example.com",
    subject="AW: Über den Export — of a very long board with a very long name that nobody can read in one line, really",
    body="Hello Ana,\n\nopen the board & choose <Export>.\nThen wait.", part=1, parts=1, tries=1, draft_id=None,
    first_try_at=datetime(2026, 11, 21, 12, tzinfo=UTC), in_reply_to="g1", reference="TF-20261121-0001",
    references=("first@mail.example.com", str(EARLIER), LONG_ID),
)  # fmt: skip


def read(message: OutgoingMessage) -> EmailMessage:
    mail = message_from_bytes(write_mail(message, sender=SENDER, company="Tidefern, Süd"), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def test_an_answer_names_the_mails_of_its_conversation_however_long_their_ids_are() -> None:
    mail = read(MESSAGE)
    assert mail["Message-ID"] == f"<{make_message_id(TOKEN, 'desk.example.com')}>"
    assert mail["In-Reply-To"].strip() == f"<{LONG_ID}>"
    earlier = make_message_id(EARLIER, "desk.example.com")
    assert mail["References"].split() == ["<first@mail.example.com>", f"<{earlier}>", f"<{LONG_ID}>"]


def test_subject_names_and_text_arrive_as_they_were_written() -> None:
    mail = read(MESSAGE)
    assert mail["Subject"].startswith("Re: Über den Export — of a very long board")
    assert mail["From"].addresses[0].display_name == "Tidefern, Süd"
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert plain.get_content().split() == f"{MESSAGE.body} Ticket TF-20261121-0001".split()
    assert "open the board &amp; choose &lt;Export&gt;.<br>" in html.get_content()


def test_every_line_is_short_enough_for_any_mail_server() -> None:
    lines = write_mail(MESSAGE, sender=SENDER, company="Tidefern").splitlines()
    assert max(map(len, lines)) < 998


def test_a_subject_cannot_bring_headers_of_its_own() -> None:
    mail = read(replace(MESSAGE, subject="Hello\r\nBcc: eve@evil.example"))
    assert mail["Bcc"] is None


def test_only_a_machines_answer_says_that_it_is_one() -> None:
    assert read(MESSAGE)["Auto-Submitted"] == "auto-replied"
    assert read(MESSAGE)["X-Auto-Response-Suppress"] == "All"
    assert read(replace(MESSAGE, author="person"))["Auto-Submitted"] is None


def test_every_try_writes_the_same_mail_but_for_the_boundary() -> None:
    first, second = read(MESSAGE), read(replace(MESSAGE, tries=2))
    assert [value for name, value in first.items() if name != "Content-Type"] == [
        value for name, value in second.items() if name != "Content-Type"
    ]


def test_our_own_answer_is_known_when_it_comes_back() -> None:
    own = OwnMail(frozenset({SENDER}), frozenset({"mx.google.com"}), frozenset())
    mail = parse_mail(write_mail(MESSAGE, sender=SENDER, company="Tidefern"))
    assert isinstance(mail, ParsedMail)
    assert judge_mail(mail, own).kind == "own"
    assert list_tokens(mail, "desk.example.com") == (EARLIER,)
