"""A mail's own words: the quoted mail, signatures and notices go, nothing of the sender does."""

import json
import os
import re
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.mail.parsed import ParsedMail
from channels.mail.quoting import split_reply
from channels.mime import parse_mail

MAILS = tomllib.loads((Path(__file__).parent / "quoted_mails.toml").read_text(encoding="utf-8"))["mail"]
PIECES = [
    "\n", "\n", "\n\n", "\r\n", " ", "> ", ">", "-- \n", "---", "_____\n", "On ", "Am ", "12.05.2025 ", "10:04, ",
    "On 12.05.2025 10:04, Ana <ana@example.com> wrote: ", "Begin forwarded message:\n", "you ", "B",
    "Ana ", "wrote:", "schrieb ", "<ana@example.com>", ":", "From: ", "Sent: ", "To: ", "Subject: ", "Von: ",
    "Sent from my iPhone\n", "-----Original Message-----\n", "Forwarded message", "mailing list", "confidential ",
    "privileged ", "message ", "see below", "FYI", "Hello.", "Wie geht es?\n", "\0", "\u2028", "\ud800", "é", "👍",
]  # fmt: skip
HOSTILE = {
    "quote marks": ">", "blank lines": "\n", "quoted blanks": ">\n", "verbs": "wrote:\n", "rules": "--\n",
    "keys": "From: a\n",
    "broken attributions": "On 1:00 <\n", "attributions": "x 12/05/2025 wrote:\n\n\n", "keys apart": "Date: 1\n\n",
    "one rule": "-", "cards": "----\nAna\na@b\n", "brackets": "<a@", "colons": "a@b: ", "answers": "> a\n\nb\n\n",
    "answers without blanks": "> a\nb\n", "telephones": "Sent from my iPhone\n", "spaces": " ", "underscores": "_\n",
    "notices": "this message is confidential and privileged, delete it if you got it in error " * 2 + "\n\n",
    "returns": "\r", "short lines": "a\n", "quotes far apart": "x\n" + "\n" * 50 + "> b\n" + "\n" * 50,
    "starts in a line": "On 12:00 a@b On 12:00 wrote: ",
}  # fmt: skip

anything = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))


def list_lines(text: str) -> list[str]:
    return re.split("\r\n|\r|\n", text)


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail["name"])
def test_what_the_sender_wrote_now_is_told_from_the_rest(mail: dict[str, Any]) -> None:
    reply = split_reply(mail["text"])
    assert reply.new.split() == mail.get("new", mail["text"]).split()
    assert reply.is_forwarded == mail.get("forwarded", False)


def test_forwarded_mail_comes_back_to_the_letter() -> None:
    for mail in (mail for mail in MAILS if mail.get("forwarded")):
        assert (split_reply(mail["text"]).new, split_reply(mail["text"]).rest) == (mail["text"], "")


def test_indentation_of_the_sender_stays() -> None:
    assert split_reply("\n\n    if x:\n        y\n\n\n> quoted\n> mail\n").new == "    if x:\n        y"


@pytest.mark.parametrize(
    "text",
    [
        "Hi team,\n\nOn 12.05.2025 at 10:00 I called and the man said:\n\n- we refund\n\nbut nothing.",
        "Hallo,\nam 12.05.2025 schrieb ich eine Mail an support@desk.example:\nkeine Antwort.",
        "Bonjour,\nLe 12/05/2025 à 10:04, votre collègue m'a écrit :\nvous serez remboursé.\nJ'attends.",
        "On 2025-05-12 at 10:00 the server wrote:\nERROR 500\nWhat does it mean?",
        "Hi,\n\nYour mail of 12.05.2025 10:00 <a@shop.example>:\nis it phishing?",
        "Guten Tag\n\nVon: Hamburg\nAn: München\nDatum: 12.05.2025\n\nBitte Angebot an a@shop.example.",
        "From: 12 May\nTo: 15 May\nI need a hotel. My mail is a@shop.example",
        "Hello,\n\nmy case:\nSubject: broken app\nFrom: Ana\n\nThe app crashes when I start it.",
        "Hello,\nplease check:\n1) https://shop.example/1\n___________\n2) https://shop.example/2",
        "Hi\n\n---\nTicket: 5\n---\n\nPlease close it, thanks",
        "Hello\n\nSent from your app I got 3 mails. Why?",
        "Hello,\n\nplease remove me from the mailing list.",
        "Hello,\n\nI want to be removed.\n\nPlease unsubscribe: a@shop.example",
        "The log says:\n> error 1\n> error 2\nThen it stops.",
    ],
)
def test_words_like_a_program_s_are_the_sender_s_own(text: str) -> None:
    assert split_reply(text).new == text


@settings(max_examples=400, deadline=None)
@given(anything)
def test_any_text_gives_lines_of_its_own_in_their_order(text: str) -> None:
    lines = iter(list_lines(text))
    for line in list_lines(split_reply(text).new):
        assert any(own.startswith(line) for own in lines)


@settings(max_examples=400, deadline=None)
@given(anything)
def test_no_word_is_lost_and_no_mail_comes_out_empty(text: str) -> None:
    reply = split_reply(text)
    assert bool(reply.new.strip()) == bool(text.strip())
    assert Counter("".join((reply.new + reply.rest).split())) == Counter("".join(text.split()))
    assert not (reply.is_forwarded and reply.rest)


def count_calls(text: str) -> int:
    """How many calls, of Python's own functions too, a text takes."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        split_reply(text)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_twice_the_text_is_twice_the_work(piece: str) -> None:
    short, long = piece * (8000 // len(piece)), piece * (16_000 // len(piece))
    assert count_calls(long) <= 2.2 * count_calls(short) + 1000


def test_a_mail_of_a_megabyte_does_not_hold_up_the_others() -> None:
    text = "".join(piece * (1_000_000 // len(HOSTILE) // len(piece)) for piece in HOSTILE.values())
    started = time.perf_counter()
    split_reply(text)
    assert time.perf_counter() - started < 30  # two seconds where nothing else runs


def read_new(kind: str, raw: str) -> str:
    if kind == "plain":
        return split_reply(raw).new
    head = "" if kind == "eml" else "From: a@example.com\nContent-Type: text/html; charset=utf-8\n\n"
    mail = parse_mail((head + raw).encode())
    assert isinstance(mail, ParsedMail)
    return mail.new_text


def is_right(item: dict[str, Any]) -> bool:
    new = read_new(item["kind"], item["raw"])
    if "expected" in item:
        return new.split() == str(item["expected"]).split()
    kept = all(re.search(words, new, re.MULTILINE) for words in item["must_match"])
    return kept and not any(re.search(words, new, re.MULTILINE) for words in item["quoted_or_hidden_matches"])


def test_published_mails_are_read_as_their_collectors_read_them() -> None:
    """Two differ on purpose: one keeps a signature, one wants no answer that stands between quoted lines."""
    path = Path(os.environ.get("EVALS_DIR", "")) / "quoted_replies_dev.jsonl"
    if "EVALS_DIR" not in os.environ or not path.exists():
        pytest.skip("EVALS_DIR does not name a folder with quoted_replies_dev.jsonl")
    items = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    wrong = [item["id"] for item in items if not is_right(item)]
    assert len(wrong) <= len(items) // 14, wrong
