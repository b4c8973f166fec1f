"""Which conversation a mail belongs to: our own ids are known again, nobody else's are."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.threads import (
    MAX_REFERENCES,
    list_reply_references,
    list_tokens,
    make_message_id,
    make_reply_subject,
    read_token,
)
from tests.channels.test_mail_senders import EMPTY

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


@given(st.uuids(), st.sampled_from(["desk.example", "GMAIL.com", "xn--bcher-kva.example"]))
def test_own_id_is_known_again(token: UUID, domain: str) -> None:
    name = make_message_id(token, domain)
    assert read_token(name, domain) == token
    assert read_token(f"<{name}>", domain.upper()) == token
    assert read_token(name, f"mail.{domain}") is None


@pytest.mark.parametrize(
    "message_id",
    [
        "", "<>", "a@desk.example", ".deskhand@desk.example", "0001.deskhand@desk.example",
        f"{ONE.hex}@desk.example", f"{ONE}.deskhand@desk.example", f"x{ONE.hex}.deskhand@desk.example",
        f"{ONE.hex}.deskhand@desk.example.evil.example", f"{ONE.hex}.deskhand@evil.example",
        f"{ONE.hex}.des\u212ahand@desk.example", f"{ONE.hex}.deskhand@desk.example, more", f"{ONE.hex}.deskhand@",
    ],
)  # fmt: skip
def test_id_of_somebody_else_is_not_ours(message_id: str) -> None:
    assert read_token(message_id, "desk.example") is None


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_id_is_read(message_id: str, domain: str) -> None:
    assert read_token(message_id, domain) is None


def refer(*references: str | UUID, answered: str | UUID | None = None) -> tuple[UUID, ...]:
    answers = (write(answered),) if answered else ()
    mail = replace(EMPTY, references=tuple(map(write, references)), in_reply_to=answers)
    return list_tokens(mail, "desk.example")


def write(reference: str | UUID) -> str:
    return make_message_id(reference, "desk.example") if isinstance(reference, UUID) else reference


def test_newest_message_of_ours_comes_last() -> None:
    assert refer(ONE, "a@customer.example", TWO, answered=THREE) == (ONE, TWO, THREE)
    assert refer(ONE, TWO, answered=ONE) == (TWO, ONE)
    assert refer(TWO, ONE, TWO) == (ONE, TWO)


def test_mail_that_refers_to_nothing_of_ours_has_no_tokens() -> None:
    assert refer() == refer("", "a@customer.example", answered="b@customer.example") == ()


@pytest.mark.parametrize(
    "subject",
    [
        "Export", "Re: Export", "RE: Export", "re:Export", "Re: Re: RE: Export", "Re[2]: Export", "Re (3): Export",
        "Re^2: Export", "RE : Export", "RE\u00a0: Export", "AW: Export", "Antw: Export", "Antwort: Export",
        "SV: Export",
        "VS: Export", "RV: Export", "TR: Export", "RES: Export", "RIF: Export", "R: Export", "Odp: Export",
        "YNT: Export", "Ответ: Export", "回复：Export", "返信: Export", "답장: Export", "رد: Export", "Fwd: Export",
        "WG: Export", "FW: AW: Re: Export", "ENC: RES: Export", "Doorst: Export", "転送: Export", "  Re:   Export  ",
        "Re: \r\nExport",
    ],
)  # fmt: skip
def test_answer_bears_one_re(subject: str) -> None:
    assert make_reply_subject(subject) == "Re: Export"


@pytest.mark.parametrize(
    ("subject", "answer"),
    [
        ("", "Re:"),
        ("Re:", "Re:"),
        ("Reset: how?", "Re: Reset: how?"),
        ("Ref: 4711", "Re: Ref: 4711"),
        ("Export: Re: it", "Re: Export: Re: it"),
        ("[TF-20261121-0042] Re: Export", "Re: [TF-20261121-0042] Re: Export"),
        ("日本語：質問", "Re: 日本語：質問"),
        ("Hi\r\nBcc: eve@evil.example", "Re: Hi Bcc: eve@evil.example"),
    ],
)
def test_rest_of_a_subject_stays(subject: str, answer: str) -> None:
    assert make_reply_subject(subject) == answer


@given(
    st.text(max_size=400)
    | st.lists(st.sampled_from(["Re", ":", "AW", " ", "\n", "[2]", "x"]), max_size=20).map("".join)
)
def test_subject_of_an_answer_to_an_answer_is_the_same(subject: str) -> None:
    answer = make_reply_subject(subject)
    assert make_reply_subject(answer) == answer
    assert answer.isprintable() or not any(letter in answer for letter in "\r\n\x00")
    assert len(answer) <= 254


def test_answer_refers_to_the_first_and_the_newest() -> None:
    names = [f"{number}@customer.example" for number in range(100)]
    kept = list_reply_references(names)
    assert len(kept) == MAX_REFERENCES
    assert (kept[0], kept[1:]) == (names[0], tuple(names[1 - MAX_REFERENCES :]))


def test_short_conversation_is_referred_to_whole() -> None:
    assert list_reply_references(["<a@x>", " b@x ", "a@x", "c@x"]) == ("b@x", "a@x", "c@x")
    assert list_reply_references([]) == ()


@pytest.mark.parametrize("name", ["", "<>", "a b@x", "a@x>\r\nBcc: eve@evil.example", "<a@x> <b@x>", "é@x", "a" * 300])
def test_what_is_no_id_is_not_referred_to(name: str) -> None:
    assert list_reply_references([name, "b@x"]) == ("b@x",)
