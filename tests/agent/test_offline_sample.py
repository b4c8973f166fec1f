"""Whole turns of the offline model over the sample company's articles, as a customer of it would have them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.brief import Author, ChannelLimits
from agent.calibration import calibrate
from agent.effects import Escalate, Respond
from agent.loop import run_turn
from agent.models.offline import OfflineModel
from agent.phrases import is_phrase, say
from app.knowledge_files import SAMPLE_COMPANY, import_files
from db.pool import Pool
from tests.agent.offline_desk import Desk, make_brief, sample_result
from tests.agent.turns import make_turn

CHANNELS = {"whatsapp": ChannelLimits("whatsapp", 1600, 300), "web": ChannelLimits("web", 2500, 900)}


@pytest.fixture
async def company(pool: Pool) -> Pool:
    await import_files(pool, [SAMPLE_COMPANY])
    await calibrate(pool, None)
    return pool


async def ask(
    pool: Pool,
    text: str,
    *,
    history: Sequence[tuple[Author, str]] = (),
    plan: str | None = "pro",
    channel: str = "whatsapp",
) -> Respond | Escalate:
    brief = replace(make_brief(text, history=history), plan=plan, limits=CHANNELS[channel], trust=0)
    rules = tuple(escalation for escalation in brief.assessment.escalations if escalation.must)
    brief = replace(brief, assessment=replace(brief.assessment, escalations=rules))  # what is learnt changes
    turn = make_turn(pool, brief, OfflineModel())
    context = replace(turn.context, allowed_links=("tidefern.example",))
    return (await run_turn(replace(turn, context=context))).terminal


async def ask_answer(pool: Pool, text: str, **more: object) -> str:
    ending = await ask(pool, text, **more)  # type: ignore[arg-type]
    assert isinstance(ending, Respond)
    assert ending.response_kind == "answer", ending.body
    assert ending.citations
    return ending.body


async def test_two_questions_of_one_message_are_both_answered(company: Pool) -> None:
    body = await ask_answer(
        company, "How many projects can I export at once on Pro? And are attachments part of the export?"
    )
    assert "20 projects" in body
    assert "Attachments are not part" in body


async def test_two_questions_for_two_articles_are_answered_from_both(company: Pool) -> None:
    ending = await ask(company, "How do I reset my password? And what is your refund policy?", channel="web")
    assert isinstance(ending, Respond)
    assert {citation["slug"] for citation in ending.citations} == {"reset-password", "refund-policy"}


async def test_who_asks_for_a_new_password_and_is_locked_out_reads_about_both() -> None:
    found = sample_result("reset-password")
    sent = await Desk(make_brief("How do I reset my password? I am locked out"), [found, found]).run()
    assert "Send link" in sent["body"]
    assert "locked for 15 minutes" in sent["body"]


async def test_a_fact_stands_in_the_first_sentence(company: Pool) -> None:
    body = await ask_answer(company, "How long does the download link of an export work?")
    assert "24 hours" in body.split(". ")[0]


async def test_a_further_question_gets_its_sentence_and_not_the_article_again(company: Pool) -> None:
    question = "How much storage do I get on Free?"
    first = await ask_answer(company, question, plan="free")
    history: list[tuple[Author, str]] = [("customer", question), ("agent", first)]
    body = await ask_answer(company, "and on Pro?", history=history, plan="free")
    assert "100 GB" in body
    assert len(body) < len(first)


@pytest.mark.parametrize(
    "text",
    [
        "Which platform does the night train to Vienna leave from?",
        "Can you write a poem about my cat?",
        "I ordered a pair of red shoes from you, where is my parcel?",
        "Is there a plugin for Photoshop?",
    ],
)
async def test_what_no_article_is_about_is_said_to_have_none(company: Pool, text: str) -> None:
    ending = await ask(company, text)
    assert isinstance(ending, Respond)
    assert is_phrase("not_found", ending.body)
    assert ending.citations == []


async def test_where_the_plan_is_not_known_and_the_plans_differ_the_plans_are_named(company: Pool) -> None:
    question = "How much storage do we have?"
    asked = await ask(company, question, plan=None)
    assert isinstance(asked, Respond)
    assert asked.response_kind == "clarifying_question"
    assert "Free plan" in asked.body
    assert "Pro plan" in asked.body
    history: list[tuple[Author, str]] = [("customer", question), ("agent", asked.body)]
    assert "100 GB" in await ask_answer(company, "Pro", history=history, plan=None)


async def test_yes_to_the_offer_of_a_person_brings_the_person(company: Pool) -> None:
    history: list[tuple[Author, str]] = [("customer", "Do you sell umbrellas?"), ("agent", say("not_found", "en"))]
    ending = await ask(company, "Yes, please", history=history)
    assert isinstance(ending, Escalate)
    assert ending.reason == "customer_request"


async def test_whether_we_saw_the_screenshot_is_answered_honestly_and_then_by_a_person(company: Pool) -> None:
    question = "How do I export our projects on Pro?"
    history: list[tuple[Author, str]] = [("customer", question), ("agent", await ask_answer(company, question))]
    first = await ask(company, "Did you see my screenshot?", history=history)
    assert isinstance(first, Respond)
    assert first.body == say("unread_ask", "en")
    history += [("customer", "Did you see my screenshot?"), ("agent", first.body)]
    assert isinstance(await ask(company, "have you seen my screenshot?", history=history), Escalate)


async def test_who_says_that_it_did_not_help_gets_something_new_or_is_asked_and_then_a_person(company: Pool) -> None:
    question = "I forgot my password, how do I get back in?"
    first = await ask_answer(company, question)
    history: list[tuple[Author, str]] = [("customer", question), ("agent", first)]
    complaint = "That didn't work, still the same problem."
    second = await ask(company, complaint, history=history)
    assert isinstance(second, Respond)
    assert second.body not in first
    history += [("customer", complaint), ("agent", second.body)]
    assert isinstance(await ask(company, complaint, history=history), Escalate)


async def test_an_answer_is_short_where_the_channel_wants_it_so_and_its_steps_are_whole(company: Pool) -> None:
    question = "How can I set a new password?"
    body = await ask_answer(company, question)
    assert "4. Type a new password" in body
    assert "Wait 5 minutes" not in body
    assert len(body) <= CHANNELS["whatsapp"].max_chars


async def test_who_meant_something_else_gets_another_article_than_the_one_quoted(company: Pool) -> None:
    first = await ask(company, "How do I change my address?", channel="web")
    assert isinstance(first, Respond)
    history: list[tuple[Author, str]] = [("customer", "How do I change my address?"), ("agent", first.body)]
    second = await ask(company, "No, I meant the postal address of our company.", history=history, channel="web")
    assert isinstance(second, Respond)
    assert {cited["slug"] for cited in second.citations}.isdisjoint({cited["slug"] for cited in first.citations})
    assert "Company details" in second.body


async def test_a_month_is_no_name_of_something_to_fit_together_with(company: Pool) -> None:
    body = await ask_answer(company, "Which version of iOS does the mobile app need from Monday in March on?")
    assert "iOS" in body
