"""Who wrote a mail: no robot answered, no customer ignored, nobody taken for somebody else."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.parsed import Address, Attachment, DeliveryReport, ParsedMail
from channels.mail.senders import Judgement, OwnMail, judge_mail
from channels.mail.threads import LOOP_HEADER
from channels.mime import parse_mail

OWN = OwnMail(
    addresses=frozenset({"support@desk.example", "help@desk.example"}),
    receivers=frozenset({"mx.google.com"}),
    lists=frozenset({"support.desk.example", "sales.desk.example"}),
)
PASSED = "mx.google.com; dmarc=pass (p=REJECT dis=NONE) header.from="


def load_cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["about"]) for case in load_file(name)["mail"]]


def load_file(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))


def judge(raw: str) -> Judgement:
    mail = parse_mail(raw.lstrip("\n").encode())
    assert isinstance(mail, ParsedMail)
    return judge_mail(mail, OWN)


@pytest.mark.parametrize("case", load_cases("mail_robots.toml"))
def test_robot_is_not_taken_for_a_customer(case: dict[str, str]) -> None:
    judgement = judge(case["raw"])
    assert (judgement.kind, judgement.why) == (case.get("kind", "robot"), case["sign"])


@pytest.mark.parametrize("case", load_cases("mail_customers.toml"))
def test_customer_is_not_taken_for_a_robot(case: dict[str, str]) -> None:
    judgement = judge(case["raw"])
    assert (judgement.kind, judgement.why) == ("customer", "No sign of a machine")
    assert judgement.sender is not None
    assert judgement.sender.address == case.get("sender", "ana@customer.example")
    assert judgement.sender.name == case.get("name", judgement.sender.name)
    assert judgement.trust == 0


@pytest.mark.parametrize("subject", load_file("mail_robots.toml")["subjects"])
def test_subject_of_a_machine_is_enough(subject: str) -> None:
    assert judge(f"From: ana@customer.example\nSubject: {subject}\n\nAway").kind == "robot"


@pytest.mark.parametrize("subject", load_file("mail_customers.toml")["subjects"])
def test_subject_about_machines_is_a_persons(subject: str) -> None:
    assert judge(f"From: ana@customer.example\nSubject: {subject}\n\nHow?").kind == "customer"


def test_there_are_enough_mails_to_say_so() -> None:
    kinds = [case.values[0].get("kind", "robot") for case in load_cases("mail_robots.toml")]
    assert kinds.count("robot") >= 60
    assert len(load_cases("mail_customers.toml")) >= 60


PROVEN = f"Authentication-Results: {PASSED}customer.example\n"
FROM = "From: Ana <ana@customer.example>\n"


def test_domain_that_our_receiver_proved_is_believed() -> None:
    judgement = judge(f"{PROVEN}{FROM}\nHello")
    assert (judgement.kind, judgement.trust, judgement.is_reply_to_elsewhere) == ("customer", 1, False)
    assert judgement.sender == Address("Ana", "ana@customer.example")


FORGED = {
    "nothing was checked": FROM,
    "the check failed": f"Authentication-Results: mx.google.com; dmarc=fail header.from=customer.example\n{FROM}",
    "the results are the sender's, below ours": (
        f"Authentication-Results: mx.google.com; dmarc=fail header.from=customer.example\n{PROVEN}{FROM}"
    ),
    "the results are the sender's, ours say nothing": (
        f"Authentication-Results: mx.google.com; spf=pass smtp.mailfrom=x@evil.example\n{PROVEN}{FROM}"
    ),
    "the results are by a stranger": (
        f"Authentication-Results: mx.evil.example; dmarc=pass header.from=customer.example\n{FROM}"
    ),
    "a stranger's results stand above ours": f"Authentication-Results: mx.evil.example; none\n{PROVEN}{FROM}",
    "the receiver's name is only the beginning": (
        f"Authentication-Results: mx.google.com.evil.example; dmarc=pass header.from=customer.example\n{FROM}"
    ),
    "another domain passed": f"Authentication-Results: {PASSED}evil.example\n{FROM}",
    "the domain above passed": f"Authentication-Results: {PASSED}example\n{FROM}",
    "a domain below passed": f"Authentication-Results: {PASSED}a.customer.example\n{FROM}",
    "a domain that ends alike passed": f"Authentication-Results: {PASSED}my-customer.example\n{FROM}",
    "two lines of From": f"{PROVEN}{FROM}From: eve@evil.example\n",
    "two addresses in From": f"{PROVEN}From: ana@customer.example, eve@evil.example\n",
    "a second From that names nobody": f"{PROVEN}{FROM}From: Eve, you know me\n",
    "the same address twice in From": f"{PROVEN}{FROM}{FROM}",
    "ARC says pass": f"ARC-Authentication-Results: i=1; {PASSED}customer.example\n{FROM}",
    "only the group's results say pass": f"X-Original-Authentication-Results: {PASSED}customer.example\n{FROM}",
    "encoded words in the envelope": (
        'Authentication-Results: mx.google.com; spf=pass smtp.mailfrom="=?utf-8?q?a=22=3B_dmarc=3Dpass'
        f'_header=2Efrom=3Dcustomer=2Eexample=3B_x=3Dy_x=2Ey=3D=22?=@evil.example"\n{FROM}'
    ),
    "brackets in the envelope": (
        "Authentication-Results: mx.google.com; spf=pass (domain of a) smtp.mailfrom=a; dmarc=pass"
        f" header.from=customer.example; x=y (b@evil.example) smtp.mailfrom=c@evil.example\n{FROM}"
    ),
    "a blank before the colon of the stranger's": (
        f"Authentication-Results : mx.evil.example; none\n{PROVEN}{FROM}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED.keys())
def test_forged_sender_is_not_believed(headers: str) -> None:
    assert judge(f"{headers}Subject: My bill\n\nSend it to me.").trust == 0


def test_address_in_a_name_is_nobody() -> None:
    judgement = judge(
        f'Authentication-Results: {PASSED}evil.example\nFrom: "ceo@customer.example" <eve@evil.example>\n\nPay'
    )
    assert (judgement.sender, judgement.trust) == (Address("", "eve@evil.example"), 1)


def test_own_address_as_the_name_stays_a_name() -> None:
    assert judge('From: "ana@customer.example" <ana@customer.example>\n\nHello').sender == Address(
        "ana@customer.example", "ana@customer.example"
    )


def test_answer_never_goes_where_reply_to_points() -> None:
    judgement = judge(f"{PROVEN}{FROM}Reply-To: eve@evil.example\n\nMy bill?")
    assert judgement.sender == Address("Ana", "ana@customer.example")
    assert judgement.is_reply_to_elsewhere


def test_one_stranger_among_several_reply_addresses_is_enough() -> None:
    assert judge(f"{FROM}Reply-To: ana@customer.example, eve@evil.example\n\nMy bill?").is_reply_to_elsewhere


@pytest.mark.parametrize("reply_to", ["ANA@customer.example", "Ana <ana@customer.example>", "support@desk.example"])
def test_reply_to_that_leads_to_no_stranger_is_harmless(reply_to: str) -> None:
    assert not judge(f"{FROM}Reply-To: {reply_to}\n\nHello").is_reply_to_elsewhere


def test_several_senders_are_nobody_to_answer() -> None:
    judgement = judge("From: ana@customer.example, eve@evil.example\nReply-To: eve@evil.example\n\nHello")
    assert (judgement.kind, judgement.sender, judgement.is_reply_to_elsewhere) == ("customer", None, True)


def test_sender_of_a_group_is_claimed_not_proven() -> None:
    raw = f'Authentication-Results: {PASSED}desk.example\nFrom: "Ana via Support" <support@desk.example>\n'
    judgement = judge(raw + "X-Original-Sender: ana@customer.example\nList-ID: <support.desk.example>\n\nHello")
    assert (judgement.sender, judgement.trust) == (Address("Ana", "ana@customer.example"), 0)


def test_proof_of_our_own_domain_is_none_of_another_mailbox_there() -> None:
    ours = replace(OWN, addresses=frozenset({"desk@mail.example"}))
    mail = replace(
        EMPTY,
        senders=(Address("Web site", "desk@mail.example"),),
        reply_to=(Address("Ana", "ana@mail.example"),),
        headers=(("authentication-results", f"{PASSED}mail.example"),),
    )
    judgement = judge_mail(mail, ours)
    assert (judgement.sender, judgement.trust) == (Address("Ana", "ana@mail.example"), 0)


def test_invitation_inside_a_forwarded_mail_is_a_persons_question() -> None:
    invitation = Attachment("", "text/calendar", 1, is_inline=True, text=None)
    mail = replace(EMPTY, senders=(Address("", "ana@customer.example"),), attachments=(invitation,), text="Why?")
    assert judge_mail(mail, OWN).kind == "robot"
    assert judge_mail(replace(mail, is_forwarded=True), OWN).kind == "customer"


def test_stranger_cannot_name_another_original_sender() -> None:
    raw = f"Authentication-Results: {PASSED}evil.example\nFrom: eve@evil.example\nList-ID: <support.desk.example>\n"
    judgement = judge(raw + "X-Original-Sender: ana@customer.example\n\nMy bill?")
    assert (judgement.sender, judgement.trust) == (Address("", "eve@evil.example"), 1)


def test_group_that_kept_from_keeps_its_proof() -> None:
    raw = f"{PROVEN}{FROM}X-Original-Sender: ana@customer.example\nList-ID: <support.desk.example>\nPrecedence: list\n"
    assert judge(raw + "\nHello").trust == 1


def test_reason_never_repeats_the_senders_words() -> None:
    for header in ("Auto-Submitted", "Precedence", "X-Autoreply", "X-Loop", "List-Id", "X-Auto-Response-Suppress"):
        assert "secret" not in judge(f"{FROM}{header}: secret-words, all\n\nHello").why


def test_mark_of_another_desk_is_not_ours() -> None:
    assert judge(f"{FROM}{LOOP_HEADER}: support@customer.example\n\nHello").kind == "robot"


EMPTY = ParsedMail(
    message_id=None, in_reply_to=(), references=(), senders=(), reply_to=(), to=(), cc=(), subject="", sent_at=None,
    text="", new_text="", is_forwarded=False, attachments=(), headers=(), report=None,
)  # fmt: skip
NAMES = [
    "authentication-results", "auto-submitted", "precedence", "list-id", "list-unsubscribe", "return-path", "from",
    "x-original-sender", "x-auto-response-suppress", "x-loop", LOOP_HEADER.lower(), "content-type", "x-mailer", "x",
]  # fmt: skip
WORDS = [
    "mx.google.com", "dmarc=pass", "header.from=customer.example", ";", "(", ")", '"', "\\", "<", ">", "@", " ", "\n",
    "support.desk.example", "all", "list", "no", "=", "none", "Re:", "Out of office", ":", "auto-replied", "\u212a",
]  # fmt: skip
texts = st.text(max_size=40) | st.lists(st.sampled_from(WORDS), max_size=12).map("".join)
addresses = st.builds(Address, texts, texts.filter(bool))
reports = st.builds(DeliveryReport, st.none() | texts, st.none() | texts, st.none() | texts)
files = st.builds(
    Attachment, texts, st.sampled_from(["text/calendar", "image/png"]), st.just(1), st.booleans(), st.none()
)
mails = st.builds(
    ParsedMail,
    message_id=st.none() | texts,
    in_reply_to=st.lists(texts, max_size=2).map(tuple),
    references=st.lists(texts, max_size=2).map(tuple),
    senders=st.lists(addresses, max_size=2).map(tuple),
    reply_to=st.lists(addresses, max_size=2).map(tuple),
    to=st.just(()),
    cc=st.just(()),
    subject=texts,
    sent_at=st.none(),
    text=texts,
    new_text=texts,
    is_forwarded=st.booleans(),
    attachments=st.lists(files, max_size=2).map(tuple),
    headers=st.lists(st.tuples(st.sampled_from(NAMES), texts), max_size=8).map(tuple),
    report=st.none() | reports,
)


@given(mails)
def test_any_mail_is_judged(mail: ParsedMail) -> None:
    judgement = judge_mail(mail, OWN)
    assert "\n" not in judgement.why
    assert judgement.trust == 0 or len(mail.senders) == 1


@given(mails)
def test_what_a_sender_adds_below_never_raises_trust(mail: ParsedMail) -> None:
    failed = ("authentication-results", "mx.google.com; dmarc=fail header.from=customer.example")
    ana = Address("", "ana@customer.example")
    assert judge_mail(replace(mail, senders=(ana,), headers=(failed, *mail.headers)), OWN).trust == 0


def test_empty_mail_is_judged() -> None:
    assert judge_mail(EMPTY, OWN).sender is None
