"""Turns worth recording: what customers write, who answers, and within which limits."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from agent.models.base import Item, Model, ModelFailure, ModelReply, ToolCall, Usage
from agent.models.base import Text as Words
from agent.models.offline import OfflineModel
from agent.models.scripted import Script, ScriptedModel
from agent.prices import Prices, read_price
from agent.turn import Limits
from tests.fakes import call, hand_over, reply_with, search_for

Happens = Literal["", "brake", "stop", "give_up", "crash", "off"]
EXPORT = "How many projects can be exported at once on the Pro plan?"
TWENTY = "On Pro you can export up to 20 projects at once."
EARLY = Limits(early_search=True)
PRICED: Prices = {"priced": read_price("1/100/1")}


@dataclass(frozen=True)
class Scene:
    """A conversation; each of its turns is recorded. A message of several texts is a burst."""

    name: str
    channel: str
    messages: Sequence[str | tuple[str, ...]]
    models: Sequence[tuple[str, Sequence[Script]]] = ()
    """Scripts by the name of their model, for each turn anew; none: the offline model."""
    limits: Limits = field(default_factory=Limits)
    ends_offline: bool = False
    """Whether the offline model comes after the scripted ones."""
    who: str = "Ana Lima"
    prices: Prices = field(default_factory=dict)
    daily_budget: str = "5"
    files: Sequence[str] = ()
    """Kinds of files that come with the last message."""
    happens: Happens = ""
    """To the last turn."""

    def make_models(self) -> tuple[Model, ...]:
        scripted = [ScriptedModel(script, name=name) for name, script in self.models]
        return (*scripted, OfflineModel()) if self.ends_offline or not scripted else tuple(scripted)


def cite(body: str = TWENTY, handle: str = "K1") -> list[Item]:
    return reply_with(body, (handle,), kind="answer")


def cite_password() -> list[Item]:
    return reply_with(
        "Dear Ana, choose Forgot password on the sign-in page, we have ana.lima@example.com.", ("K1",), kind="answer"
    )


def fail(code: str) -> ModelFailure:
    return ModelFailure(code, "", retry_after=timedelta(hours=1))


def cost(items: Sequence[Item], tokens: int, written: int = 10, name: str = "primary") -> ModelReply:
    return ModelReply(name, tuple(items), Usage(tokens, written))


SEARCH = search_for(EXPORT)
HELLO = "Hello there"
THANKS = "You are welcome."
PERSON = "I want to speak to a human being about this, please."

ANSWERED = [
    Scene("answer_web", "web", [EXPORT]),
    Scene("answer_whatsapp", "whatsapp", [("hi,", "how do i invite someone to my board?")]),
    Scene("answer_mail", "gmail", ["Hello,\n\nhow can I download our invoices?\n\nKind regards\nAna Lima"]),
    Scene("answer_two_questions", "web", ["How much does Pro cost? And how do I cancel my subscription?"]),
    Scene("answer_german", "web", ["Wie kann ich mein Passwort zurücksetzen?"]),
    Scene("answer_french", "gmail", ["Bonjour, comment puis-je inviter des membres ?"]),
    Scene("answer_spanish", "whatsapp", ["¿Cómo puedo restaurar una tarea eliminada?"]),
    Scene("answer_japanese", "web", ["パスワードをリセットするにはどうすればいいですか？"]),
    Scene("answer_long_mail", "gmail", [
        "Good morning,\n\nwe are a small studio of eight people and moved all of our boards over last month. It went "
        "well, apart from the calendar, which two of us see on their telephones and the others do not see at all.\n\n"
        "How do I connect a board with my calendar?\n\nBest wishes\nAna Lima\nStudio Lima",
    ]),
    Scene("follow_up", "whatsapp", ["How much storage do I get on Pro?", "and on Business?"]),
    Scene("corrected", "web", ["How do I export?", "No, I meant how to import a spreadsheet."]),
    Scene("private_values", "gmail", [
        "Hi, I am Ana Lima, ana.lima@example.com, +49 151 23456789. My card 4111 1111 1111 1111 was declined, the "
        "account would be DE89 3704 0044 0532 0130 00. Which payment methods do you take?",
    ]),
    Scene("private_values_answered", "whatsapp", [
        "This is Ana (ana.lima@example.com, +49 151 23456789). How do I set a new password?",
    ], [("primary", [cite_password()])], EARLY),
    Scene("thanks_after_question", "web", [EXPORT, "Thanks, and how do I share the file with a guest?"]),
]  # fmt: skip
HANDED = [
    Scene("wants_person", "whatsapp", [PERSON]),
    Scene("refund", "web", ["You charged me twice in October. I want my money back."]),
    Scene("lawyer", "gmail", ["My lawyer will write to you if this is not settled by Friday."]),
    Scene("break_in", "web", ["Somebody else logged into my account from another country and changed my password!"]),
    Scene("delete_account", "gmail", ["Please delete my account and everything in it."]),
    Scene("furious", "whatsapp", ["THIS IS THE WORST SOFTWARE EVER!!! Nothing works, I am done with you idiots"]),
    Scene("unanswerable", "web", ["Do you sell garden furniture in Portugal?", "Please, do you sell garden chairs?"]),
    Scene("did_not_help", "whatsapp", ["How do I reset my password?", "That did not work.", "Still does not work!"]),
    Scene("news_of_ticket", "web", ["You charged me twice in October. I want my money back."]),
    Scene("picture", "web", [""], files=("image",)),
    Scene("pictures_again", "web", ["", ""], files=("image",)),
    Scene("greeting", "whatsapp", ["Hello!"]),
    Scene("opted_out", "whatsapp", ["Hello!", "Are you still there?"], happens="stop"),
    Scene("tried_too_often", "web", [HELLO], happens="give_up"),
    Scene("machine", "web", [HELLO, HELLO], [("primary", [reply_with(THANKS)])], happens="brake"),
    Scene("switched_off", "web", [HELLO], [("primary", [reply_with(THANKS)])], happens="off"),
]  # fmt: skip
MODELS = [
    Scene("model_answers", "web", [EXPORT], [("primary", [SEARCH, cite()])]),
    Scene("searched_before", "whatsapp", [EXPORT], [("primary", [cite()])], EARLY),
    Scene("nothing_to_search", "whatsapp", ["Hello!"], [("primary", [reply_with("Hello, how can we help?")])], EARLY),
    Scene("person_before_search", "gmail", [PERSON], [("primary", [hand_over()])], EARLY),
    Scene("several_searches", "web", [EXPORT], [("primary", [
        search_for("export"), search_for("projects at once"), search_for("Pro plan export limit"), cite(),
    ])]),
    Scene("several_calls_at_once", "gmail", [EXPORT], [("primary", [
        [*call("get_customer_history", scope="all"), *SEARCH],
        [*call("analyze_sentiment", message_ref=None), *cite()],
    ])]),
    Scene("repaired", "web", [EXPORT], [("primary", [SEARCH, cite("On Pro you can export 50 projects."), cite()])]),
    Scene("refused_twice", "web", [EXPORT], [("primary", [
        SEARCH, cite("On Pro you can export 50 projects."), cite("On Pro you can export 60 projects."),
    ])]),
    Scene("mere_words", "whatsapp", [HELLO], [("primary", [[Words("assistant", THANKS)]])]),
    Scene("ticket_opened", "whatsapp", ["The board stays empty since this morning."], [("primary", [
        call("create_ticket", subject="The board stays empty", category="technical", priority="normal",
             summary="Empty since this morning."),
        reply_with("We are looking into it."),
    ])]),
    Scene("model_hands_over", "gmail", ["I would like a discount for my school."], [("primary", [
        hand_over("no_answer", "billing"),
    ])]),
    Scene("must_be_handed_over", "web", [PERSON], [("primary", [reply_with(THANKS), hand_over()])]),
    Scene("wrong_arguments", "web", [HELLO], [("primary", [
        call("search_knowledge_base", words="export"), [ToolCall("c1", "no_such_tool", "{")], reply_with(THANKS),
    ])]),
    Scene("the_same_again", "web", [EXPORT], [("primary", [SEARCH, SEARCH, SEARCH, cite()])]),
    Scene("asks_back", "whatsapp", ["It does not work"], [("primary", [
        reply_with("What exactly does not work?", kind="clarifying_question"),
    ])]),
    Scene("second_answers", "web", [EXPORT], [
        ("primary", [SEARCH, fail("timeout")]), ("second", [cite()]),
    ]),
    Scene("offline_answers", "web", [EXPORT], [
        ("primary", [fail("unauthorised")]), ("second", [fail("quota")]),
    ], EARLY, ends_offline=True),
    Scene("nobody_answers", "gmail", [EXPORT], [("primary", [fail("unavailable")]), ("second", [fail("refused")])]),
    Scene("crashed", "web", [EXPORT], [("primary", [SEARCH, cite()])], happens="crash"),
]  # fmt: skip
LIMITED = [
    Scene("limit_steps", "web", [EXPORT], [("primary", [search_for(f"export {n}") for n in range(9)])]),
    Scene("limit_calls", "web", [EXPORT], [("primary", [
        [item for n in range(3) for item in search_for(f"export {round_}{n}")] for round_ in range(5)
    ])]),
    Scene("limit_tokens", "web", [EXPORT], [("primary", [cost(SEARCH, 50_000), cite()])]),
    Scene("limit_seconds", "whatsapp", [EXPORT], [("primary", [SEARCH, cite()])],
          replace(EARLY, turn=timedelta(seconds=3))),
    Scene("limit_money", "web", [EXPORT], [("priced", [cost(SEARCH, 3000, 600, "priced"), cite()])], prices=PRICED),
    Scene("money_for_no_answer", "web", [EXPORT], [("priced", [cost(SEARCH, 3000, 400, "priced"), cite()])],
          prices=PRICED, ends_offline=True),
    Scene("day_is_spent", "web", [EXPORT], [("priced", [cite()])], prices=PRICED, daily_budget="0", ends_offline=True),
]  # fmt: skip
SCENES = (*ANSWERED, *HANDED, *MODELS, *LIMITED)
