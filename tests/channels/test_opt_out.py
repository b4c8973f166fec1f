"""Who wants to hear no more from us is understood, and who answers a question is not taken for them."""

import pytest

from channels.twilio.opt_out import FAREWELLS, STOP_WORDS, read_wish, say_farewell


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop", " Stop. ", "STOP!!!", "«stop»", "*STOP*", "stop 🛑", "Stopall", "unsubscribe", "Arrêt", "ARRET",
     "Désabonner", "Parar", "DESUSCRIBIR", "stopp", "Abbestellen", "disiscrivimi", "uitschrijven", "ＳＴＯＰ",
     "STOP ALL", "Please stop", "opt-out", "Please stop writing to me!", "Stop sending me messages",
     "Don't text me any more.", "No more messages please", "Bitte schreiben Sie mir nicht mehr.",
     "Não quero mais mensagens", "No me escriban más", "Ne m'écrivez plus, s'il vous plaît"],
)  # fmt: skip
def test_stop_is_understood_however_it_is_written(text: str) -> None:
    assert read_wish(text) == "stop"


@pytest.mark.parametrize(
    "text",
    ["cancel", "end", "quit", "no", "No.", "baja", "sair", "abmelden", "cancelar", "annuler", "don't stop", "stop it",
     "full stop", "stop stop", "bus-stop", "", "🛑", "stop" + " " * 100 + "x", "The export will not stop",
     "How do I stop sending messages to my team?", "Please stop the export", "Stop messages from the app on my phone",
     "I get no more messages from Ana"],
)  # fmt: skip
def test_answer_to_a_question_is_no_stop(text: str) -> None:
    assert read_wish(text) is None


@pytest.mark.parametrize(("text", "wish"), [("START", "start"), ("unstop", "start"), ("start!", "start"), ("go", None)])
def test_start_is_understood(text: str, wish: str | None) -> None:
    assert read_wish(text) == wish


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("STOP", "Write START"),
        ("Parar", "Escreva START"),
        ("Arrêt", "Écrivez START"),
        ("x", "Write"),
        ("Schreiben Sie mir nicht mehr", "Schreiben Sie START"),
    ],
)
def test_farewell_is_in_the_language_of_the_word_and_says_the_way_back(text: str, said: str) -> None:
    assert said in say_farewell(text)


def test_every_language_with_a_word_has_a_farewell() -> None:
    assert set(STOP_WORDS) == set(FAREWELLS)
    assert all("START" in farewell for farewell in FAREWELLS.values())
    words = [word for words in STOP_WORDS.values() for word in words]
    assert len(words) == len(set(words))
