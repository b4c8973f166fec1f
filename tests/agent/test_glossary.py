import pytest

from agent.glossary import LANGUAGES, SOURCE, gloss, read_gloss
from agent.retrieval import SearchQuery, SearchResult, search
from db.pool import Pool
from tests.agent.offline_desk import Desk, make_brief, sample_result
from tests.agent.word_embedder import WordEmbedder, take_in

LOST_PASSWORD = {
    "de": "Ich habe mein Passwort vergessen",
    "es": "He olvidado mi contraseña",
    "fr": "J'ai oublié mon mot de passe",
    "pt": "Esqueci a minha senha",
    "it": "Ho dimenticato la password",
    "nl": "Ik ben mijn wachtwoord vergeten",
    "pl": "Zapomniałem hasła",
    "tr": "Şifremi unuttum",
    "ru": "Я забыл пароль",
    "ur": "main password bhool gaya",
    "hi": "मैं पासवर्ड भूल गया",
    "ar": "نسيت كلمة المرور",
    "ja": "パスワードを忘れました",
    "zh": "我忘记密码了",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lost_password_is_understood_in_every_language(language: str) -> None:
    assert {"password", "forgot"} <= set(gloss(LOST_PASSWORD[language], language).split())


def test_the_english_words_come_in_order_and_each_once() -> None:
    assert gloss("Rechnung herunterladen! Wo ist die Rechnung?", "de") == "invoice download where"


@pytest.mark.parametrize(
    ("text", "language"),
    [("How do I delete a task?", "en"), ("Hvordan sletter jeg en oppgave?", "no"), ("Quak quak.", "de"), ("", "fr")],
    ids=["English", "a language without a column", "unknown words", "nothing"],
)
def test_nothing_is_said_where_nothing_is_known(text: str, language: str) -> None:
    assert gloss(text, language) == ""


@pytest.mark.parametrize(
    ("text", "language", "kept"),
    [
        ("Error 413 con un archivo CSV", "es", {"413", "csv"}),
        ("Funktioniert das mit Google und Pro?", "de", {"google", "pro"}),
        ("Est-ce que Trello et Basecamp sont pris en charge ?", "fr", {"trello", "basecamp"}),
        ("Можно подключить Toggl?", "ru", {"toggl"}),
        ("Excelファイルを5000行インポート", "ja", {"excel", "5000"}),
    ],
)
def test_numbers_and_names_are_kept(text: str, language: str, kept: set[str]) -> None:
    assert kept <= set(gloss(text, language).split())


def test_a_word_that_means_per_is_no_plan() -> None:
    assert "pro" not in gloss("Was kostet das pro Monat?", "de").split()


@pytest.mark.parametrize("text", ["Rückerstattung löschen", "RUECKERSTATTUNG LOESCHEN", "rückerstattung  löschen…"])
def test_case_umlauts_and_punctuation_make_no_difference(text: str) -> None:
    assert gloss(text, "de") == "refund delete"


def test_a_compound_says_what_its_parts_say() -> None:
    assert gloss("Projektvorlage", "de") == "project template"
    assert gloss("Monatsrechnung", "de").endswith("invoice")
    assert gloss("wachtwoordherstel", "nl").startswith("password restore")


def test_arabic_is_read_with_its_article_and_what_is_written_before_it() -> None:
    assert [gloss(text, "ar") for text in ("فاتورة", "الفاتورة", "والفاتورة", "بالفاتورة")] == ["invoice"] * 4


def test_an_upper_case_dotted_i_is_read() -> None:
    assert gloss("İPTAL", "tr") == "cancel"


def test_how_much_was_understood_is_told() -> None:
    whole, part = read_gloss("Rechnung herunterladen", "de"), read_gloss("Rechnung Fledermaushöhle", "de")
    assert whole.known == 1.0
    assert 0 < part.known < 0.5


def test_every_line_of_the_table_has_a_column_for_every_language() -> None:
    assert {headword for headword, row in SOURCE["words"].items() if len(row.split("|")) != len(LANGUAGES)} == set()


async def ask(pool: Pool, text: str, language: str) -> SearchResult:
    return await search(pool, None, SearchQuery(text, language=language))


async def take_in_english(pool: Pool) -> None:
    await take_in(pool, "password", "Choose it on the sign-in page.", title="Forgot your password")
    await take_in(pool, "invoices", "They stand under Billing.", title="Download an invoice")
    await take_in(pool, "trash", "Deleted tasks stay for 30 days.", title="Restore a deleted task")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_question_in_another_language_finds_the_english_article(pool: Pool, language: str) -> None:
    await take_in_english(pool)
    assert (await ask(pool, LOST_PASSWORD[language], language)).passages[0].slug == "password"


async def test_an_article_in_the_customers_language_comes_first(pool: Pool) -> None:
    await take_in_english(pool)
    text = "Gelöschte Aufgaben bleiben 30 Tage im Papierkorb. Wählen Sie Wiederherstellen."
    await take_in(pool, "papierkorb", text, title="Gelöschtes wiederherstellen", language="de")
    found = await ask(pool, "Kann ich eine gelöschte Aufgabe zurückholen?", "de")
    assert [passage.slug for passage in found.passages[:2]] == ["papierkorb", "trash"]


async def test_an_english_question_in_a_german_conversation_is_searched_as_it_is(pool: Pool) -> None:
    await take_in_english(pool)
    assert (await ask(pool, "How can I restore what I deleted?", "de")).passages[0].slug == "trash"


async def test_a_question_of_which_a_word_was_understood_is_not_answered_surely(pool: Pool) -> None:
    await take_in_english(pool)
    assert (await ask(pool, "Passwort?", "de")).confidence == "high"
    unread = "Welches Passwort hatte eigentlich Ali Baba in der Räuberhöhle mit den vierzig Räubern?"
    assert (await ask(pool, unread, "de")).confidence == "none"


async def test_an_english_question_finds_an_article_in_another_language(pool: Pool) -> None:
    await take_in(pool, "passwort", "Auf der Anmeldeseite.", title="Passwort vergessen", language="de")
    await take_in(pool, "rechnung", "Unter Abrechnung.", title="Rechnung herunterladen", language="de")
    assert (await ask(pool, "I forgot my password", "en")).passages[0].slug == "passwort"


@pytest.mark.parametrize(
    ("name", "embedded"), [("all-minilm-l6-v2", "password forgot"), ("words", "Kennwort vergessen")]
)
async def test_only_a_model_of_english_alone_is_given_english_words(pool: Pool, name: str, embedded: str) -> None:
    embedder = WordEmbedder(name=name)
    await take_in(pool, "password", "Choose it on the sign-in page.", embedder, title="Forgot your password")
    await search(pool, embedder, SearchQuery("Kennwort vergessen", language="de"))
    assert embedder.asked[-1] == embedded


@pytest.mark.parametrize(
    ("text", "article", "told"),
    [
        ("Wie viel kostet zusätzlicher Speicherplatz pro Monat?", "storage-pro", "$10 a month"),
        ("¿Qué pasa si nuestro servidor no responde al webhook?", "webhooks", "8 times"),
        ("アカウントがロックされました。何分待てばいいですか。", "reset-password", "15 minutes"),
    ],
)
async def test_the_section_that_answers_a_question_in_another_language_is_quoted(
    text: str, article: str, told: str
) -> None:
    desk = Desk(make_brief(text), [sample_result(article)])
    assert told in (await desk.run())["body"]
    assert desk.problems == ()


async def test_the_same_article_in_english_is_no_second_meaning() -> None:
    found = sample_result("storage-pro")
    own = {"k": "K9", "title": "Speicherplatz", "text": "Speicher wird unter Einstellungen gekauft und kostet 10 $.",
           "updated": "2026-10-02", "score": 0.7}  # fmt: skip
    found["results"].insert(0, own)
    sent = await Desk(make_brief("Wo kaufe ich mehr Speicherplatz?"), [found]).run()
    assert (sent["kind"], sent["citations"]) == ("answer", ["K9"])
