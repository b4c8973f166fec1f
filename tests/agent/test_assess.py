"""The pre-pass as a whole: urgency in words, trend, repeated tries, greetings and goodbyes."""

import pytest

from agent.assess import Assessor, asks_for_update
from agent.brief import Assessment
from agent.policy import find_escalations
from tests.shipped import load_classifier

QUESTIONS = (
    "How do I export a board as a spreadsheet? How do I copy a list to another board? How do I copy a board? "
    "Where do I set the time zone? How do I invite guests to a project? Where do I find keyboard shortcuts? "
    "How do I sort the cards of a list? How do I add a label to a card? Can I see several boards at once?"
)


@pytest.fixture(scope="module")
def assessor() -> Assessor:
    return Assessor(load_classifier())


def assess(
    assessor: Assessor,
    *burst: str,
    previous: tuple[str, ...] = (),
    language: str | None = None,
    hint: str | None = None,
) -> Assessment:
    return assessor.assess(burst, previous=previous, language=language, category_hint=hint)


def test_refund_third_time_and_lawyer_is_urgent(assessor: Assessor) -> None:
    found = assess(assessor, "I want a refund, this is the third time I ask, I'll call my lawyer")
    assert found.priority >= 8
    assert found.category in ("billing", "legal")
    assert "billing dispute" in found.priority_why
    assert any(escalation.must for escalation in found.escalations)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("I want to kill myself", 10, 10),
        ("My account was hacked", 9, 10),
        ("Our lawyer will contact you", 9, 10),
        ("All our data is gone!", 8, 10),
        ("We are switching to a competitor", 8, 10),
        ("Please refund the last invoice", 7, 8),
        ("How do I export a board?", 3, 6),
        ("Would be nice to have a dark theme", 1, 3),
    ],
)
def test_priority_follows_the_gravest_reason(assessor: Assessor, text: str, least: int, most: int) -> None:
    assert least <= assess(assessor, text).priority <= most


def test_a_burst_is_read_as_one(assessor: Assessor) -> None:
    found = assess(assessor, "hello", "you charged me twice", "49 dollars each")
    assert [escalation.reason for escalation in found.escalations] == ["billing_dispute"]
    assert not found.is_greeting


def test_the_mood_is_compared_with_the_messages_before(assessor: Assessor) -> None:
    angry, glad = "This is terrible, nothing works!", "Great, thank you so much, it works!"
    assert assess(assessor, glad, previous=(angry,)).trend == "improving"
    assert assess(assessor, angry, previous=(glad,)).trend == "worsening"
    assert assess(assessor, angry).trend == "steady"


def test_the_third_failed_try_is_noticed(assessor: Assessor) -> None:
    tries = ("How do I export?", "That did not work.")
    found = assess(assessor, "It still doesn't work.", previous=tries)
    assert "repeated_failure" in [escalation.reason for escalation in found.escalations]
    assert assess(assessor, "That did not work.", previous=tries[:1]).escalations == ()


def test_bad_news_are_not_neutral_even_in_calm_words(assessor: Assessor) -> None:
    found = assess(assessor, "Somebody signed in to my account from abroad last night.")
    assert found.sentiment.label == "negative"


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, works now",
        "Perfect, thank you!",
        "ok, got it",
        "Gracias, ya funciona.",
        "Danke, hat geklappt!",
        "解決しました。ありがとうございます。",
    ],
)
def test_a_goodbye_is_closing(assessor: Assessor, text: str) -> None:
    assert assess(assessor, text).is_closing


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, but how do I undo it?",
        "Thank you. Could you also send the invoice?",
        "thanks for nothing, it is still broken",
        "Thanks for the quick block yesterday. Today there was another strange login though.",
    ],
)
def test_thanks_with_a_wish_are_not_closing(assessor: Assessor, text: str) -> None:
    assert not assess(assessor, text).is_closing


@pytest.mark.parametrize("text", ["hi there", "Hello", "Guten Tag", "Bonjour !", "Hola", "こんにちは", "नमस्ते"])
def test_a_bare_hello_is_a_greeting(assessor: Assessor, text: str) -> None:
    assert assess(assessor, text).is_greeting


@pytest.mark.parametrize("text", ["Hello, my export fails", "hi how do i log in", "help"])
def test_a_hello_with_a_question_is_not_a_greeting(assessor: Assessor, text: str) -> None:
    assert not assess(assessor, text).is_greeting


def test_the_language_of_the_conversation_sticks(assessor: Assessor) -> None:
    assert assess(assessor, "ok", language="fr").language == "fr"
    assert assess(assessor, "Wie kann ich mein Passwort ändern?", language="en").language == "de"
    assert assess(assessor, "xyz").language == "en"


@pytest.mark.parametrize(
    ("text", "is_update"),
    [
        ("any update?", True),
        ("What's the status of my ticket?", True),
        ("Gibt es schon etwas Neues?", True),
        ("TF-20261121-0042", True),
        ("How do I update the app?", False),
        ("Can I change the status of a task?", False),
    ],
)
def test_asking_for_news_is_recognised(text: str, is_update: bool) -> None:
    assert asks_for_update(text, "en") is is_update


@pytest.mark.parametrize(
    "text",
    [
        "How do I give our lawyer read-only access to one folder?",
        'The app crashes when I type "court" into the search, any other word is fine',
    ],
)
def test_a_rule_gives_way_where_the_examples_are_sure_that_it_was_misled(assessor: Assessor, text: str) -> None:
    assert find_escalations(text, "en")
    assert assess(assessor, text).escalations == ()


def test_a_threat_to_life_gives_way_to_no_example(assessor: Assessor) -> None:
    text = "Which template is for the suicide prevention day?"
    assert assessor.classifier.classify(text).is_harmless
    assert [one.reason for one in assess(assessor, text).escalations] == ["safety"]


def test_a_harmless_letter_around_it_does_not_hide_what_a_person_must_see(assessor: Assessor) -> None:
    letter = f"{QUESTIONS} Please delete my account. {QUESTIONS}"
    assert assessor.classifier.classify(letter).is_harmless
    found = {one.reason: one for one in assess(assessor, letter).escalations}
    assert found["account_deletion"].must
    assert not found["account_deletion"].is_doubtful


def test_what_only_the_examples_say_is_left_to_a_model(assessor: Assessor) -> None:
    text = "There were seven seats on the statement, we are five people and always were"
    assert find_escalations(text, "en") == ()
    assert [one.must for one in assess(assessor, text).escalations] == [False]
