"""The language of a message: by script, by common words, and never changed by a word or two."""

import pytest

from agent.language import detect_language, find_language
from agent.phrases import load_texts

SENTENCES = {
    "en": "How do I export all the tasks of my project?",
    "de": "Wie kann ich alle Aufgaben meines Projekts exportieren?",
    "fr": "Comment puis-je exporter toutes les tâches de mon projet ?",
    "es": "¿Cómo puedo exportar todas las tareas de mi proyecto?",
    "it": "Come posso esportare tutte le attività del mio progetto?",
    "pt": "Como posso exportar todas as tarefas do meu projeto?",
    "nl": "Hoe kan ik alle taken van mijn project exporteren?",
    "pl": "Jak mogę wyeksportować wszystkie zadania z mojego projektu?",
    "tr": "Projemdeki bütün görevleri nasıl dışa aktarabilirim lütfen?",
    "ur": "Mera project export nahi ho raha hai, kya karna chahiye?",
    "hi": "मैं अपने प्रोजेक्ट के सभी कार्य कैसे निर्यात करूँ?",
    "ar": "كيف يمكنني تصدير جميع المهام في مشروعي؟",
    "ja": "プロジェクトのタスクをすべてエクスポートするにはどうすればいいですか。",
    "ru": "Как экспортировать все задачи моего проекта?",
    "zh": "如何导出我的项目中的所有任务？",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_recognised_whatever_the_conversation_was_in(language: str) -> None:
    assert detect_language(SENTENCES[language], "de" if language == "en" else "en") == language
    assert find_language(SENTENCES[language]) == language


@pytest.mark.parametrize(
    "text", ["ok", "Danke!", "merci", "CSV", "👍", "", "404", "Settings > Export", "https://a.example/der"]
)
@pytest.mark.parametrize("default", ["en", "pt"])
def test_a_word_or_two_do_not_change_the_language(text: str, default: str) -> None:
    assert detect_language(text, default) == default


def test_product_names_do_not_make_a_text_english() -> None:
    assert detect_language("Google Calendar と Slack の連携ができません", "en") == "ja"
    assert detect_language("Wie verbinde ich Google Calendar mit Outlook?", "en") == "de"


def test_accents_may_be_missing() -> None:
    assert detect_language("Je ne peux pas me connecter a mon compte depuis hier", "en") == "fr"


@pytest.mark.parametrize(("key", "language"), [(key, code) for key, texts in load_texts().items() for code in texts])
def test_our_own_texts_are_in_the_language_they_claim(key: str, language: str) -> None:
    assert detect_language(load_texts()[key][language], language) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Sabahtan beri hiçbir görev açılmıyor.", "tr"),
        ("boa noite", "pt"),
        ("bonsoir", "fr"),
        ("yeh kaam abhi tak theek nahi hua", "ur"),
        ("moechte das Passwort aendern, es laeuft nicht", "de"),
    ],
)
def test_a_few_everyday_words_are_enough(text: str, language: str) -> None:
    assert find_language(text) == language
