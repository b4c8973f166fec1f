"""The mood of support messages: what counts, what turns it, what is only manners."""

import pytest

from agent.brief import Label
from agent.sentiment import score_sentiment


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Great service, thank you so much!", "positive"),
        ("Perfect, exactly what I needed.", "positive"),
        ("Not bad at all!", "positive"),
        ("I can't complain, everything has been smooth.", "positive"),
        ("Attachments fail to upload with error 413.", "negative"),
        ("This is not good.", "negative"),
        ("Thanks for nothing, the refund you promised never came.", "negative"),
        ("Oh great, logged out again for the tenth time today.", "negative"),
        ("Pathetic. Absolutely pathetic support.", "angry"),
        ("STILL DOWN. Four hours. Do you even have engineers?!", "angry"),
        ("Which payment methods do you take?", "neutral"),
        ("Could you please tell me where the invoices are? Thanks in advance.", "neutral"),
        ("Good morning, I would like to change my address. Kind regards", "neutral"),
    ],
)
def test_labels_of_everyday_messages(text: str, label: Label) -> None:
    assert score_sentiment(text, "en").label == label


@pytest.mark.parametrize(
    ("language", "good", "bad"),
    [
        ("de", "Vielen Dank, das ist großartig!", "Die App funktioniert nicht, sehr ärgerlich."),
        ("fr", "C'est parfait, je suis ravi.", "L'application ne marche pas, je suis très déçu."),
        ("es", "Excelente servicio, me encanta.", "No funciona nada, es un desastre."),
        ("pt", "Adorei, ficou perfeito!", "Não funciona, estou muito decepcionado."),
        ("it", "Ottimo, sono molto contento.", "Non funziona, un disastro."),
        ("nl", "Geweldig, ik ben erg blij.", "Het werkt niet, erg teleurgesteld."),
        ("hi", "बहुत अच्छा, शानदार!", "ऐप काम नहीं कर रहा, बहुत खराब।"),
        ("ar", "خدمة ممتازة ورائعة", "التطبيق لا يعمل، تجربة سيئة"),
        ("ja", "とても便利で最高です", "エラーで開けません。困っています。"),
    ],
)
def test_praise_and_complaint_are_told_apart_in_other_languages(language: str, good: str, bad: str) -> None:
    assert score_sentiment(good, language).score > 0.25 > -0.25 > score_sentiment(bad, language).score


def test_a_negation_reaches_three_words_and_no_further() -> None:
    assert score_sentiment("It is not a very good tool", "en").score < 0
    assert score_sentiment("I did not expect a tool like yours to be good", "en").score > 0


def test_shouting_and_marks_make_a_complaint_worse() -> None:
    calm = score_sentiment("the export is broken", "en").score
    assert score_sentiment("THE EXPORT IS BROKEN", "en").score < calm
    assert score_sentiment("the export is broken!!", "en").score < calm


def test_acronyms_are_not_shouting() -> None:
    assert "caps" not in score_sentiment("The CSV and PDF export of the API fails", "en").signals


def test_an_emoji_counts() -> None:
    assert score_sentiment("fine 😡", "en").score < 0 < score_sentiment("fine 👍", "en").score


def test_the_signals_name_the_words_that_counted() -> None:
    assert "outrageous" in score_sentiment("This is outrageous", "en").signals


@pytest.mark.parametrize("text", ["", " ", "....", "a" * 100_000, "!" * 50_000, "not " * 20_000])
def test_any_text_gets_a_score_in_range(text: str) -> None:
    assert -1 <= score_sentiment(text, "xx").score <= 1
