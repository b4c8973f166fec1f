"""Which messages go to a person, in which language, and which look-alikes do not."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.policy import MAX_CHARS, REASONS, find_escalations, load_rules
from db.examples import read_shipped

TEN_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "ru")
CASES = {
    "human_wanted": {
        "en": ["I'd rather speak with a human.", "get me an agent", "Can I talk to a real person please?", "HUMAN NOW"],
        "de": ["Ich möchte bitte mit einem Mitarbeiter sprechen.", "Kein Bot bitte, ich will einen echten Menschen"],
        "fr": ["Je veux parler à un conseiller.", "Passez-moi une vraie personne s'il vous plaît"],
        "es": ["Quiero hablar con una persona.", "Necesito un agente humano"],
        "pt": ["Quero falar com um atendente."],
        "it": ["Vorrei parlare con un operatore."],
        "nl": ["Ik wil een medewerker spreken."],
        "pl": ["Chcę rozmawiać z konsultantem."],
        "tr": ["Bir insanla görüşmek istiyorum."],
        "hi": ["मुझे किसी इंसान से बात करनी है।"],
        "ar": ["أريد التحدث إلى موظف"],
        "ja": ["人間のオペレーターと話したいです。"],
    },
    "billing_dispute": {
        "en": [
            "I want my money back for this month.",
            "You charged me twice for October.",
            "Payment keeps failing although the card works everywhere else.",
            "Where is my refund?",
            "Please add our purchase order number to invoice 1043.",
        ],
        "de": ["Können Sie mir bitte die letzte Zahlung zurückerstatten?", "Mir wurde doppelt abgebucht."],
        "fr": ["Vous m'avez prélevé deux fois, merci de me rembourser."],
        "es": ["No reconozco este cargo de 49 dólares en mi tarjeta."],
        "pt": ["Fui cobrado duas vezes, quero reembolso."],
        "it": ["Mi avete addebitato due volte, voglio un rimborso."],
        "nl": ["Er is twee keer afgeschreven, ik wil mijn geld terug."],
        "pl": ["Proszę o zwrot pieniędzy."],
        "tr": ["Kartımdan iki kez para çekildi, iade istiyorum."],
        "hi": ["मेरे पैसे वापस कीजिए।"],
        "ar": ["أريد استرداد أموالي، تم الخصم مرتين"],
        "ja": ["二重に請求されたので返金してください。"],
    },
    "legal": {
        "en": ["You will hear from my solicitor.", "Please send me all the data you store about me (GDPR request)."],
        "de": ["Mein Anwalt meldet sich bei Ihnen.", "Bitte löschen Sie alle personenbezogenen Daten gemäß DSGVO."],
        "fr": ["Je vais saisir la justice si rien ne bouge."],
        "es": ["Solicito el acceso a mis datos personales según el RGPD."],
        "pt": ["Vou acionar meu advogado."],
        "it": ["Il mio avvocato vi contatterà."],
        "nl": ["Mijn advocaat neemt contact op."],
        "pl": ["Mój prawnik się skontaktuje."],
        "tr": ["Avukatım sizi arayacak."],
        "hi": ["मेरा वकील आपसे संपर्क करेगा।"],
        "ar": ["سأرفع دعوى ومحاميّ سيتواصل معكم"],
        "ja": ["弁護士に相談します。"],
    },
    "security": {
        "en": ["I think my account has been hacked.", "I'd like to report a vulnerability in your file preview."],
        "de": ["Ich habe eine Phishing-Mail in eurem Namen bekommen.", "Mein Konto wurde gehackt."],
        "fr": ["Mon compte a été piraté."],
        "es": ["Alguien entró en mi cuenta sin permiso."],
        "pt": ["Minha conta foi invadida."],
        "it": ["Il mio account è stato violato."],
        "nl": ["Mijn account is gehackt."],
        "pl": ["Ktoś włamał się na moje konto."],
        "tr": ["Hesabım ele geçirildi."],
        "hi": ["मेरा अकाउंट हैक हो गया है।"],
        "ar": ["تم اختراق حسابي"],
        "ja": ["アカウントが乗っ取られました。"],
    },
    "account_deletion": {
        "en": ["I want to close my account permanently.", "Remove my workspace and all of its data, please."],
        "de": ["Bitte löschen Sie mein Konto."],
        "fr": ["Je veux supprimer définitivement mon compte."],
        "es": ["Quiero eliminar mi cuenta."],
        "pt": ["Quero excluir minha conta."],
        "it": ["Voglio cancellare il mio account."],
        "nl": ["Ik wil mijn account verwijderen."],
        "pl": ["Chcę usunąć konto."],
        "tr": ["Hesabımı silmek istiyorum."],
        "hi": ["मेरा खाता हटा दीजिए।"],
        "ar": ["أريد حذف حسابي"],
        "ja": ["アカウントを削除してください。"],
    },
    "data_loss": {
        "en": ["All the tasks in the Marketing project are gone.", "Two weeks of work wiped out by your update."],
        "de": ["Alle unsere Aufgaben sind verschwunden."],
        "fr": ["Toutes nos tâches ont disparu."],
        "es": ["Desaparecieron todas nuestras tareas."],
        "pt": ["Todos os dados sumiram."],
        "it": ["Tutti i nostri dati sono spariti."],
        "nl": ["Al onze taken zijn verdwenen."],
    },
    "outage": {
        "en": ["Everything is down for our whole company.", "STILL DOWN. Four hours.", "None of us can log in."],
        "de": ["Die ganze Firma kann nicht arbeiten, die Seite ist nicht erreichbar."],
        "fr": ["Tout est en panne, personne ne peut travailler."],
        "es": ["El sistema está caído, nadie puede entrar."],
        "pt": ["O sistema está fora do ar."],
        "it": ["Il sito è irraggiungibile per tutta l'azienda."],
        "nl": ["Alles ligt plat, niemand kan werken."],
    },
    "safety": {
        "en": [
            "I want to kill myself",
            "I know where your office is, I will hurt you",
            "I don't want to live any more",
        ],
        "de": ["Ich will nicht mehr leben."],
        "fr": ["J'ai envie de mourir."],
        "es": ["Quiero morir."],
        "pt": ["Não quero mais viver."],
        "it": ["Voglio morire."],
        "nl": ["Ik wil niet meer leven."],
        "ja": ["もう死にたい"],
    },
    "churn_risk": {
        "en": ["We're thinking about leaving for a competitor.", "We won't be renewing next year."],
        "de": ["Wir überlegen, zur Konkurrenz zu wechseln."],
        "fr": ["Nous pensons partir chez un concurrent."],
        "es": ["Estamos pensando en irnos a la competencia."],
        "pt": ["Vamos mudar para a concorrência."],
        "it": ["Stiamo valutando di passare alla concorrenza."],
        "nl": ["We overwegen over te stappen naar de concurrent."],
    },
    "anger": {
        "en": ["This is outrageous!!!", "Your support is an absolute joke"],
        "de": ["Das ist eine Frechheit!"],
        "fr": ["C'est inadmissible !"],
        "es": ["¡Esto es inaceptable!"],
        "pt": ["Isso é uma vergonha!"],
        "it": ["È vergognoso!"],
        "nl": ["Dit is schandalig!"],
    },
    "repeated_failure": {
        "en": ["This is the third time I ask.", "It is still not solved.", "Nobody answers my mails."],
        "de": ["Ich schreibe jetzt zum dritten Mal: das dritte Mal, dass ich frage.", "Immer noch keine Antwort."],
        "fr": ["C'est la troisième fois que je vous écris."],
        "es": ["Es la tercera vez que escribo."],
        "pt": ["É a terceira vez que escrevo."],
        "it": ["È la terza volta che scrivo."],
        "nl": ["Dit is de derde keer dat ik mail."],
    },
}
FLAT = [(reason, language, text) for reason, by in CASES.items() for language, texts in by.items() for text in texts]
LOOK_ALIKES = [
    ("en", "What is your refund policy?"),
    ("en", "How long does a refund take?"),
    ("en", "Where do I download the invoice for October?"),
    ("en", "Which payment methods do you take?"),
    ("en", "How much is the Business plan for ten users?"),
    ("en", "Can I change from monthly to yearly in the middle of a term?"),
    ("en", "Are you ISO 27001 certified?"),
    ("en", "Where are your servers located and is the data encrypted?"),
    ("en", "How do I turn on two factor authentication for my team?"),
    ("en", "How do I ignore a notification?"),
    ("en", "Where do I find the previous instructions you mailed me for the import?"),
    ("en", "Please cancel my previous request."),
    ("en", "How do I delete a task?"),
    ("en", "How do I remove a user from my team?"),
    ("en", "How do I kill a running export process?"),
    ("en", "Can I undo a bulk edit?"),
    ("en", "The dropdown for assignees is empty."),
    ("en", "I switched to dark mode and can't switch to the light theme."),
    ("en", "It isn't terrible, but the mobile app could be faster."),
    ("en", "Oh great, logged out again for the tenth time today."),
    ("de", "Welche Zahlungsarten gibt es?"),
    ("de", "Wie ändere ich meinen Benutzernamen?"),
    ("fr", "Comment télécharger ma facture ?"),
    ("es", "¿Cuál es su política de reembolso?"),
    ("pt", "Quais formas de pagamento vocês aceitam?"),
    ("it", "Come posso scaricare la fattura?"),
    ("nl", "Hoe kan ik mijn factuur downloaden?"),
    ("ja", "請求書はどこで確認できますか？"),
]


@pytest.mark.parametrize(("reason", "language", "text"), FLAT)
def test_a_case_is_found_whatever_language_the_conversation_was_in(reason: str, language: str, text: str) -> None:
    for spoken in (language, "en"):
        assert reason in [escalation.reason for escalation in find_escalations(text, spoken)]


@pytest.mark.parametrize(("language", "text"), LOOK_ALIKES)
def test_a_question_for_information_stays_with_the_agent(language: str, text: str) -> None:
    assert find_escalations(text, language) == ()


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("Invoices", "Where can I download my invoice?"),
        ("Invoices question", "Where can I download my invoice?"),
        ("Refund", "How long does a refund take?"),
        ("Rechnung", "Wo finde ich meine Rechnungen?"),
    ],
)
def test_a_subject_above_a_question_for_information_stays_with_the_agent(subject: str, message: str) -> None:
    assert find_escalations(f"{subject}\n{message}", "en") == ()


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("Refund", "How do I get it?"),
        ("Refund request", "How long does a refund take?"),
        ("Invoice wrong", "Where can I download my invoice?"),
        ("Double charge", "Where do I see my invoices?"),
        ("Chargeback", "Where do I see my invoices?"),
        ("Invoice", "How much is Pro? You charged me 38 dollars too much."),
        ("Rechnung falsch", "Wo finde ich meine Rechnungen?"),
        ("Security breach", "How do I reset my password?"),
        ("Invoice", ""),
    ],
)
def test_a_subject_that_tells_a_case_goes_to_a_person_whatever_is_asked_below(subject: str, message: str) -> None:
    assert any(escalation.must for escalation in find_escalations(f"{subject}\n{message}", "en"))


def test_reasons_come_gravest_first_and_carry_what_was_matched() -> None:
    found = find_escalations("I want a refund, this is the third time I ask, I'll call my lawyer", "en")
    assert [escalation.reason for escalation in found] == ["legal", "billing_dispute", "repeated_failure"]
    assert found[0].must
    assert "lawyer" in found[0].matched


def test_being_told_not_to_escalate_does_not_help() -> None:
    text = "Do not hand this to a human: I was charged 900 dollars by mistake and I'm furious."
    found = [escalation.reason for escalation in find_escalations(text, "en")]
    assert "billing_dispute" in found
    assert "human_wanted" not in found


def test_accents_and_capitals_do_not_matter() -> None:
    assert [e.reason for e in find_escalations("KONNEN SIE MIR DIE ZAHLUNG ZURUCKERSTATTEN", "de")] == [
        "billing_dispute"
    ]


def test_only_the_first_eight_kilobytes_are_read() -> None:
    assert find_escalations("word " * (MAX_CHARS // 5) + ". Call my lawyer.", "en") == ()


def test_no_rule_has_a_quantifier_within_a_repeated_group() -> None:
    def list_patterns(part: object) -> list[str]:
        if isinstance(part, str):
            return [part]
        nested = part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
        return [pattern for inner in nested for pattern in list_patterns(inner)]

    endless = re.compile(r"[*+~][^()|]*\)(?:[*+]|\{\d*,\d*\})|[*+~][^()]*\)[*+]")
    assert [pattern for pattern in list_patterns(load_rules()) if endless.search(pattern)] == []


def test_every_reason_is_known_and_has_rules_in_seven_languages() -> None:
    for reason in REASONS:
        assert {"en", "de", "fr", "es", "pt", "it", "nl"} <= set(load_rules()[reason])


@given(text=st.text(max_size=400), language=st.sampled_from(["en", "de", "ja", "ar", "xx", ""]))
@settings(max_examples=60, deadline=None)
def test_any_text_is_judged_without_an_error(text: str, language: str) -> None:
    assert len(find_escalations(text, language)) <= len(REASONS)


@pytest.mark.parametrize("language", TEN_LANGUAGES)
def test_every_reason_a_person_must_see_has_certain_rules_in_ten_languages(language: str) -> None:
    for reason, (_, must) in REASONS.items():
        assert not must or load_rules()[reason][language]["strong"]


@pytest.mark.parametrize(
    ("language", "plain"), [("de", "bitte mein konto loeschen, zurueckzahlen und schoene gruesse"), ("de", "loeschung")]
)
def test_umlauts_may_be_written_as_two_letters(language: str, plain: str) -> None:
    umlauts = plain.replace("oe", "ö").replace("ue", "ü")
    assert [e.reason for e in find_escalations(plain, language)] == [
        e.reason for e in find_escalations(umlauts, language)
    ]


@pytest.mark.parametrize("english", [True, False])
def test_what_the_rules_hand_over_was_nearly_always_a_case(english: bool) -> None:
    rows = [row for row in read_shipped() if (row.language == "en") == english]
    taken = [row for row in rows if any(e.must for e in find_escalations(row.text, row.language))]
    assert sum(bool(row.reasons) for row in taken) / len(taken) >= 0.9
    must = [row for row in rows if any(REASONS[reason][1] for reason in row.reasons)]
    found = sum(any(e.must for e in find_escalations(row.text, row.language)) for row in must)
    assert found / len(must) >= 0.65
