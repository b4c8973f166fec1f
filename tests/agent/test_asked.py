"""What is asked in a message: told apart, put together again, and told from what only answers us."""

import pytest

from agent.asked import asks_whether_seen, corrects, is_assent, leans_back, list_asked, list_situations, write_query


def test_two_questions_of_one_message_are_told_apart() -> None:
    asked = list_asked("Hi!\nHow do I mute a project? And what does a guest cost per month?\nThanks")
    assert [one.text for one in asked] == ["How do I mute a project?", "And what does a guest cost per month?"]


def test_a_question_of_hardly_a_word_is_asked_together_with_the_one_beside_it() -> None:
    [one] = list_asked("Our server should be told of every new task. Possible? Where do I set that up?")
    assert "every new task" in one.full
    assert one.text == "Possible? Where do I set that up?"


def test_the_question_in_the_middle_of_a_long_mail_is_what_is_searched_for() -> None:
    mail = (
        "Dear team,\n\nwe have been planning weddings for eleven years now, first on paper and then\n"
        "with a tool that has been switched off since. My sister found you and we are\nhappy so far. "
        "What I would like to know: can a guest see the hours that we\nhave tracked on a task? "
        "I ask because a bride once saw them and was not amused.\n\nKind regards\nOdile"
    )
    query = write_query(mail, "")
    assert "can a guest see the hours that we have tracked on a task?" in query
    assert "eleven years" not in query
    assert "Odile" not in query


def test_lines_that_a_mail_program_broke_make_one_sentence() -> None:
    [one] = list_asked("Is there a limit on how many boards one project can have before it\ngets too slow to use?")
    assert one.text.endswith("before it gets too slow to use?")


def test_a_wish_put_as_a_statement_is_searched_for_as_it_stands() -> None:
    assert write_query("Hello, I can't find my time reports", "") != ""
    [one] = list_asked("I can't find my time reports")
    assert one.text == "I can't find my time reports"


def test_what_the_customer_says_of_their_case_is_kept_beside_the_question() -> None:
    assert list_situations("How do I sign in again? My phone is lost.") == ["My phone is lost."]
    assert list_situations("My phone is lost.") == []


@pytest.mark.parametrize(
    "text",
    [
        "And on Business?",
        "how long does that take?",
        "no, I meant the weekly one",
        "What about guests?",
        "und wie lange dauert das?",
        "¿y en Pro?",
    ],
)
def test_a_question_that_needs_the_last_turn_leans_on_it(text: str) -> None:
    assert leans_back(text)


@pytest.mark.parametrize(
    "text", ["How do I change the billing address?", "Which browsers do you support at the moment?"]
)
def test_a_question_that_stands_by_itself_does_not(text: str) -> None:
    assert not leans_back(text)


@pytest.mark.parametrize(
    "text", ["Yes, please", "yes please!", "Ja, gerne", "Sí, por favor", "oui merci", "はい、お願いします"]
)
def test_a_yes_is_an_answer_and_no_question(text: str) -> None:
    assert is_assent(text)


@pytest.mark.parametrize("text", ["Yes, how do I do that?", "ok and on Free?", "please export my tasks", ""])
def test_more_than_a_yes_is_not_taken_for_one(text: str) -> None:
    assert not is_assent(text)


@pytest.mark.parametrize(
    "text",
    [
        "Did you see my screenshot?",
        "have you looked at the photo yet",
        "Can you hear my voice message?",
        "Haben Sie den Screenshot gesehen? Ich meine: Screenshot angesehen?",
        "¿Ha visto mi captura?",
    ],
)
def test_whether_we_saw_what_came_is_known_for_what_it_is(text: str) -> None:
    assert asks_whether_seen(text)


@pytest.mark.parametrize(
    "text",
    [
        "Can guests see my files?",
        "How do I attach a screenshot to a task?",
        "Which video files can I upload?",
        "Wann habe ich die Rechnung bekommen?",
    ],
)
def test_a_question_about_files_is_still_a_question(text: str) -> None:
    assert not asks_whether_seen(text)


@pytest.mark.parametrize(
    ("text", "is_correction"),
    [
        ("No, I meant the one for guests.", True),
        ("sorry, we meant the other workspace", True),
        ("Nein, ich meinte die Postanschrift", True),
        ("Non, je parlais de la facture", True),
        ("No problem, thanks! How do I mute a project?", False),
        ("What is meant by a guest?", False),
    ],
)
def test_a_correction_is_told_from_a_further_question(text: str, is_correction: bool) -> None:
    assert corrects(text) is is_correction
