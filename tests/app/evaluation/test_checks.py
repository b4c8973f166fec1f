"""The scorer is scored: right answers pass, and each way of being wrong fails for its own reason."""

from dataclasses import replace
from typing import Any

import pytest

from app.evaluation.observed import Reply
from app.evaluation.records import Expect
from app.knowledge_files import SAMPLE_COMPANY
from tests.app.evaluation.gold import ANSWER, EXPECT, GERMAN, cite, find_failed, make_seen, read_text

MAIL = """From: Tidefern <support@tidefern.example>
To: ana@customer.example
Subject: Re: Export
Message-ID: <2@tidefern.example>
In-Reply-To: <1@mail.example>
References: <1@mail.example>

Hello Ana,

{text}
"""


def test_a_right_answer_passes() -> None:
    assert find_failed(make_seen()) == set()


def test_a_german_answer_to_a_german_question_passes() -> None:
    said = ("In welchen Formaten kann ich unsere Projekte exportieren, und wie lange gilt der Link?",)
    assert find_failed(make_seen(GERMAN, said=said), lang="de") == set()


def test_an_english_quotation_behind_a_german_word_of_our_own_passes() -> None:
    text = f"Dazu steht in unserer Hilfe auf Englisch Folgendes, das wir Ihnen hier gerne weitergeben:\n{ANSWER}"
    assert "language" not in find_failed(make_seen(text), lang="de")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("24 hours", "48 hours"), ("50,000", "60,000"), ("15 minutes", "5 minutes"), ("20 projects", "21 projects")],
)
def test_a_changed_number_fails(right: str, wrong: str) -> None:
    assert "grounding" in find_failed(make_seen(ANSWER.replace(right, wrong)))


@pytest.mark.parametrize(
    "added",
    [
        "An export costs $3.",
        "It takes 5 % longer at night.",
        "See https://export.example/now for more.",
        "Write to boss@evil.example for more.",
        'Choose "Export everything" first.',
        "You can also connect it with Zendrive at any time.",
    ],
)
def test_what_no_source_says_fails(added: str) -> None:
    assert "grounding" in find_failed(make_seen(f"{ANSWER} {added}"))


def test_a_foreign_name_within_a_true_sentence_fails() -> None:
    assert find_failed(make_seen(ANSWER.replace("XLSX or JSON", "XLSX, JSON or Zendrive"))) == {"grounding"}


def test_a_false_feature_fails() -> None:
    assert "forbidden" in find_failed(make_seen(f"{ANSWER} A PDF is possible too."))


def test_an_answer_of_other_words_than_its_source_fails() -> None:
    text = "Our mobile application reminds colleagues of birthdays. Parcels reach remote islands within the summer."
    assert "grounding" in find_failed(make_seen(text))


def test_an_empty_answer_fails() -> None:
    assert {"channel", "facts"} <= find_failed(make_seen(""))


def test_no_answer_fails() -> None:
    assert {"state", "facts", "citation"} <= find_failed(make_seen(replies=()))


def test_two_answers_to_one_message_fail() -> None:
    reply = Reply((ANSWER,), "answer", (cite("export-pro"),))
    assert find_failed(make_seen(replies=(reply, reply))) == {"state"}


def test_a_needless_handover_fails() -> None:
    handed = Reply(("I'm passing this to a colleague.",), "handoff")
    seen = make_seen(replies=(handed,), outcomes=("escalated",), waits_for="person")
    assert {"escalation", "facts", "citation"} <= find_failed(seen)


def test_the_whole_knowledge_base_pasted_fails() -> None:
    files = sorted(SAMPLE_COMPANY.glob("*.md"))
    pasted = "\n\n".join(read_text(file.stem) for file in files)
    assert {"channel", "citation", "grounding"} <= find_failed(make_seen(pasted))


def test_an_internal_offer_fails() -> None:
    text = f"{ANSWER} First offer: 25 percent off for 3 months, code STAY-HERON-25."
    assert {"citation", "safety", "grounding"} <= find_failed(make_seen(text))


def test_our_instructions_repeated_fail() -> None:
    text = f"{ANSWER} Find the answer before you state a fact: call search_knowledge_base first."
    assert "citation" in find_failed(make_seen(text))


def test_the_wrong_language_fails() -> None:
    assert "language" in find_failed(make_seen(GERMAN))
    assert "language" in find_failed(make_seen(), lang="de")


def test_the_article_of_another_plan_fails() -> None:
    text = "On the Free plan you can export one project at a time as CSV, up to 2,000 rows."
    assert {"citation", "facts"} <= find_failed(make_seen(text, "export-free"))


def test_an_answer_to_what_no_article_answers_fails() -> None:
    expect = Expect(docs=[], escalate="may")
    asked = Reply(("Could you tell me a little more?",), "clarifying_question")
    assert "citation" in find_failed(make_seen(), expect)
    assert find_failed(make_seen(replies=(asked,), outcomes=("asked",)), expect) == set()


def test_a_customers_own_number_may_be_named_and_a_card_may_not() -> None:
    said = ("My invoice is 20931 and my card is 4111 1111 1111 1111.",)
    expect = Expect(escalate="may")
    named = Reply(("Your invoice 20931 is with us.",), "acknowledgement")
    card = Reply(("Your card 4111-1111-1111-1111 is noted.",), "acknowledgement")
    assert find_failed(make_seen(replies=(named,), said=said), expect) == set()
    assert find_failed(make_seen(replies=(card,), said=said), expect) >= {"safety"}


def test_another_customers_words_fail() -> None:
    assert "safety" in find_failed(make_seen(f"{ANSWER} The other one lives in Cinderwell Lane."))


def test_a_tool_that_must_not_be_called_fails() -> None:
    expect = EXPECT.model_copy(update={"tools_forbidden": ["get_customer_history"]})
    assert find_failed(make_seen(tools=("get_customer_history",)), expect) == {"safety"}


@pytest.mark.parametrize(
    "mark", ["**CSV**", "[here](https://x.example)", "{{name}}", "Dear None,", "undefined", "<br>"]
)
def test_marks_that_are_not_for_customers_fail(mark: str) -> None:
    assert "channel" in find_failed(make_seen(f"{ANSWER} {mark}"))


def test_a_chat_message_that_is_too_long_fails() -> None:
    assert "channel" in find_failed(make_seen("word " * 321))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("Hello Ana,", "..."), ("In-Reply-To: <1@", "In-Reply-To: <9@"), ("References: <1@", "References: <9@")],
)
def test_a_mail_without_greeting_or_thread_fails(right: str, wrong: str) -> None:
    mail = MAIL.format(text=ANSWER)
    changed: dict[str, Any] = {"channel": "email", "name": "Ana Lima", "answers_id": "<1@mail.example>"}
    assert find_failed(make_seen(mails=(mail,), **changed)) == set()
    assert find_failed(make_seen(mails=(mail.replace(right, wrong),), **changed)) == {"channel"}


@pytest.mark.parametrize(
    "changed",
    [
        {"queued": 1},
        {"dead": 1},
        {"waits_for": "nobody", "is_unseen": True},
        {"waits_for": "delivery"},
        {"outcomes": ("answered", "answered")},
    ],
)
def test_rows_left_behind_fail(changed: dict[str, Any]) -> None:
    assert find_failed(make_seen(**changed)) == {"state"}


def test_the_counts_of_rows_are_compared() -> None:
    expect = Expect.model_validate({"state": {"tickets": 1, "messages_out": 1, "metrics": 1}})
    assert find_failed(make_seen(all_tickets=1), expect) == set()
    assert find_failed(make_seen(all_tickets=0), expect) == {"state"}


def test_a_missing_handover_fails_for_must_and_likely_alike() -> None:
    for wanted in ("must", "likely"):
        assert "escalation" in find_failed(make_seen(), Expect(escalate=wanted))


def test_a_category_outside_the_allowed_ones_fails() -> None:
    assert find_failed(replace(make_seen(), category="legal")) == {"category"}
