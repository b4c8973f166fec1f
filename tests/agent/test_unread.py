"""Pictures, voice messages and files that nobody here can read: said honestly, never guessed, never ignored."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.brief import Author, Brief, Escalation
from agent.effects import Escalate, Respond
from agent.grounding import Evidence, ReplyDraft, check_reply
from agent.loop import hand_over, run_turn
from agent.models.offline import OfflineModel
from agent.models.scripted import ScriptedModel
from agent.phrases import is_phrase, load_texts, say
from agent.prompt import POLICY, lay_out_turn
from agent.turn import Limits
from agent.unread import NAMES, say_unread
from db.pool import Pool
from tests.agent.offline_desk import Desk, make_brief, search_result
from tests.agent.turns import Journal, make_turn, run_brief
from tests.fakes import reply_with

LANGUAGES = tuple(load_texts()["hello"])
EXPORT_QUESTION = "How do I export my projects?"
FOUND = search_result("high", "Export projects", "Import tasks")


def send(
    words: str,
    *unread: str,
    history: Sequence[tuple[Author, str]] = (),
    language: str | None = None,
) -> Brief:
    """What the worker makes of words and of things that came along."""
    brief = make_brief(words, history=history, language=language)
    marks = " ".join(f"[{NAMES[kind]}]" for kind in unread)
    [line] = brief.burst
    text = f"{words}\n{marks}".strip()
    return replace(brief, burst=(replace(line, text=text),), unread=unread, own_words=words)


def inventor() -> ScriptedModel:
    return ScriptedModel([reply_with("I see in your picture that the export is broken.")] * 3)


@pytest.mark.parametrize(
    ("language", "kind", "said"),
    [
        ("de", "image", "Bilder kann ich hier nicht sehen."),
        ("pt", "audio", "Aqui não consigo ouvir mensagens de voz."),
        ("es", "video", "Aquí no puedo ver vídeos."),
        ("ar", "file", "لا يمكنني فتح هذا الملف هنا."),
    ],
)
async def test_what_nobody_can_read_is_said_in_the_customers_language_and_asks_no_model(
    pool: Pool, language: str, kind: str, said: str
) -> None:
    model = inventor()
    ending = await run_brief(pool, send("", kind, language=language), model)
    assert isinstance(ending.terminal, Respond)
    assert ending.terminal.body == f"{said}\n{say('unread_ask', language)}"
    assert (ending.terminal.response_kind, ending.terminal.language) == ("clarifying_question", language)
    assert (ending.terminal.resolves, ending.limit, ending.degraded) == (False, None, False)
    assert model.requests == []
    assert ending.last_step is not None
    assert (ending.last_step.model, ending.model, ending.spent.usd) == ("policy", "policy", None)


@pytest.mark.parametrize("language", ["en", "de", "pt", "es", "ar"])
async def test_a_second_thing_nobody_can_read_goes_to_a_person_who_is_told_what_came(pool: Pool, language: str) -> None:
    model = inventor()
    asked = say_unread(send("", "audio", language=language))
    history: list[tuple[Author, str]] = [("customer", "[voice message]"), ("agent", f"Hello Ann,\n\n{asked}")]
    ending = await run_brief(pool, send("", "audio", "image", history=history, language=language), model)
    assert isinstance(ending.terminal, Escalate)
    assert ending.terminal.customer_message == say("escalated_unread", language)
    assert ending.terminal.reason == "no_answer"
    assert "cannot see or hear: voice message, image." in ending.terminal.handoff_note
    assert (model.requests, ending.limit) == ([], None)


async def test_a_picture_in_answer_to_our_question_goes_to_a_person(pool: Pool) -> None:
    history: list[tuple[Author, str]] = [("customer", "it fails"), ("agent", say("not_found", "en"))]
    ending = await run_brief(pool, send("", "image", history=history, language="en"), inventor())
    assert isinstance(ending.terminal, Escalate)


async def test_an_album_is_one_short_answer_that_names_each_kind_once(pool: Pool) -> None:
    ending = await run_brief(pool, send("", *["image"] * 9, "video"), inventor())
    assert isinstance(ending.terminal, Respond)
    assert ending.terminal.body.splitlines() == [
        say("unread_image", "en"),
        say("unread_video", "en"),
        say("unread_ask", "en"),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kinds", [("image", "audio", "video", "file"), ()], ids=["of each a file", "no file"])
def test_what_is_said_about_it_is_short_and_passes_the_checks_of_every_reply(
    kinds: tuple[str, ...], language: str
) -> None:
    body = say_unread(send("", *kinds, language=language))
    evidence = Evidence({}, ("[image]",), frozenset(), "Tidefern", (), 300, language)
    assert check_reply(ReplyDraft(body, (), "clarifying_question", language), evidence) == ()
    assert is_phrase("unread_ask", body)
    word = ReplyDraft(say("escalated_unread", language), (), "acknowledgement", language)
    assert check_reply(word, replace(evidence, done=frozenset(("escalate_to_human",)))) == ()


async def test_a_turn_that_crashed_after_its_answer_gives_the_same_one_again(pool: Pool) -> None:
    brief = send("", "audio", language="de")
    first = await run_brief(pool, brief, inventor())
    assert first.last_step is not None
    model = inventor()
    again = await run_turn(make_turn(pool, brief, model, steps=[first.last_step]))
    assert again.terminal == first.terminal
    assert (again.last_step, model.requests) == (None, [])


async def test_where_we_have_no_words_in_the_language_a_person_is_called_also_after_a_crash(pool: Pool) -> None:
    brief, journal, model = send("", "audio", language="ko"), Journal(), inventor()
    ending = await run_turn(make_turn(pool, brief, model, journal=journal))
    assert isinstance(ending.terminal, Escalate)
    assert [json.loads(step.results[0]["output"])["error"]["code"] for step in journal.steps] == ["wrong_language"]
    resumed = await run_turn(make_turn(pool, brief, model, journal=journal, steps=journal.steps))
    assert isinstance(resumed.terminal, Escalate)
    assert resumed.terminal.handoff_note == ending.terminal.handoff_note
    assert (len(journal.steps), model.requests) == (1, [])


async def test_a_turn_without_time_left_goes_to_a_person_who_is_told_what_came(pool: Pool) -> None:
    turn = make_turn(pool, send("", "image"), inventor(), limits=Limits(turn=timedelta(seconds=1)))
    ending = await run_turn(turn)
    assert isinstance(ending.terminal, Escalate)
    assert ending.limit == "seconds"
    assert "cannot see or hear: image." in ending.terminal.handoff_note


async def test_someone_who_wrote_stop_and_sends_a_picture_goes_to_a_person_who_knows_both(pool: Pool) -> None:
    ending = await hand_over(make_turn(pool, send("", "image")), "opted_out")
    assert isinstance(ending.terminal, Escalate)
    assert "until they write START" in ending.terminal.handoff_note
    assert '"[image]"' in ending.terminal.handoff_note


async def test_a_picture_of_someone_who_needs_a_person_anyway_is_not_asked_about(pool: Pool) -> None:
    brief, model = send("", "image"), inventor()
    third = Escalation("repeated_failure", brief.assessment.category, must=False, matched="the third try")
    ending = await run_brief(pool, replace(brief, assessment=replace(brief.assessment, escalations=(third,))), model)
    assert isinstance(ending.terminal, Escalate)
    assert (ending.limit, model.requests) == (None, [])


async def test_the_subject_of_a_first_mail_is_words(pool: Pool) -> None:
    model = ScriptedModel([reply_with("Hello, what is it about?")])
    ending = await run_brief(pool, replace(send("", "file"), subject="Export fails"), model)
    assert isinstance(ending.terminal, Respond)
    assert len(model.requests) == 1


@pytest.mark.parametrize("mark", ["[location]", "[contact]", "[message that cannot be shown]"])
async def test_a_message_of_no_words_and_no_file_is_not_guessed_at_either(pool: Pool, mark: str) -> None:
    brief, model = send(""), inventor()
    ending = await run_brief(pool, replace(brief, burst=(replace(brief.burst[0], text=mark),)), model)
    assert isinstance(ending.terminal, Respond)
    assert ending.terminal.body == say("unread_ask", "en")
    assert model.requests == []


def test_a_model_is_told_what_it_cannot_see() -> None:
    laid_out = lay_out_turn(send(EXPORT_QUESTION, "image", "image", "audio"), "k3v9x2m7")
    facts, _, words = laid_out.partition("<transcript")
    assert "- came with the message, not visible to you: image, voice message; say so if" in facts
    assert "[voice message]" in words
    assert "not visible to you" not in lay_out_turn(send(EXPORT_QUESTION), "k3v9x2m7")
    assert "never describe them or guess what is in them" in POLICY


async def test_words_that_an_article_answers_are_answered_though_a_picture_came_along() -> None:
    desk = Desk(send(EXPORT_QUESTION, "image"), [FOUND])
    sent = await desk.run()
    assert (sent["kind"], sent["citations"]) == ("answer", ["K1"])
    assert desk.problems == ()


async def test_the_mark_of_a_file_is_not_searched_for() -> None:
    desk = Desk(send(EXPORT_QUESTION, "image", "audio"), [FOUND])
    await desk.run()
    assert json.loads(desk.calls[0].arguments)["query"] == EXPORT_QUESTION


LOW = search_result("low", "Export projects", "Import tasks", scores=(0.4, 0.39))


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("This message comes up, what does it mean?", "en"),
        ("Was bedeutet diese Meldung hier?", "de"),
        ("O que significa esta mensagem aqui?", "pt"),
        ("¿Qué significa este mensaje de aquí?", "es"),
        ("ماذا تعني هذه الرسالة؟", "ar"),
    ],
)
@pytest.mark.parametrize("searches", [[], [LOW, LOW]], ids=["nothing found", "unclear"])
async def test_words_that_need_the_picture_go_to_a_person_who_can_see_it(
    words: str, language: str, searches: list[dict[str, object]]
) -> None:
    desk = Desk(send(words, "image", "audio", language=language), searches)
    sent = await desk.run()
    assert desk.names[-1] == "escalate_to_human"
    assert sent["customer_message"] == say("escalated_unread", language)
    assert "cannot see or hear: image, voice message." in sent["handoff_note"]
    assert sent["reason_code"] == "no_answer"


async def test_a_courtesy_with_a_picture_is_asked_about_once_and_then_given_to_a_person() -> None:
    for words in ("Hello!", "Thanks, works now"):
        desk = Desk(send(words, "image"))
        sent = await desk.run()
        assert sent["body"] == say_unread(desk.brief)
        assert (sent["kind"], sent["resolves"], desk.problems) == ("clarifying_question", False, ())
        history: list[tuple[Author, str]] = [("customer", words), ("agent", sent["body"])]
        again = Desk(send(words, "image", history=history, language="en"))
        await again.run()
        assert again.names == ["escalate_to_human"]


async def test_words_that_do_not_help_after_we_asked_for_them_go_to_a_person() -> None:
    history: list[tuple[Author, str]] = [("customer", "[image]"), ("agent", say_unread(send("", "image")))]
    desk = Desk(send("the thing in the picture", history=history, language="en"))
    await desk.run()
    assert desk.names[-1] == "escalate_to_human"


async def test_a_refund_asked_for_beside_a_picture_goes_to_billing(pool: Pool) -> None:
    brief = send("I was charged twice, I want my money back. See the invoice.", "image")
    ending = await run_brief(pool, brief, OfflineModel())
    assert isinstance(ending.terminal, Escalate)
    assert (ending.terminal.reason, ending.terminal.category) == ("billing_dispute", "billing")
    assert ending.terminal.customer_message == say("escalated_billing", "en")
    assert "cannot see or hear: image." in ending.terminal.handoff_note


@pytest.mark.parametrize("words", ["[image]", "[voice message]", "[file] what is this?"])
async def test_a_mark_that_the_customer_typed_is_words_like_any_other(pool: Pool, words: str) -> None:
    model = ScriptedModel([reply_with("What can we do for you?")])
    assert isinstance((await run_brief(pool, send(words), model)).terminal, Respond)
    assert len(model.requests) == 1
    desk = Desk(send(words))
    sent = await desk.run()
    assert json.loads(desk.calls[0].arguments)["query"] == words
    assert is_phrase("not_found", sent["body"])
    assert desk.problems == ()
