"""What is hidden from a model behind a network, what is left alone, and what comes back."""

import json
import re
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.privacy import ALWAYS, CONTACTS, AlteredPlaceholder, Placeholders, blank_out, choose_kinds
from agent.privacy_kinds import find_private
from agent.privacy_rules import Kind

ALL = ALWAYS | CONTACTS
PLACEHOLDER = re.compile(r"<([A-Z]+)_\d{4}>")

PRIVATE: dict[Kind, tuple[str, ...]] = {
    "CARD": (
        "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "5555.5555.5555.4444", "3782 822463 10005",
        "2223003122003222", "6011 1111 1111 1117", "３５３０１１１３３３３０００００",
        "٤١١١١١١١١١١١١١١١", "४१११ ११११ ११११ ११११",
        "4111\u00a01111\u00a01111\u00a01111", "4111–1111–1111–1111", "4111 1111\n1111 1111",
    ),
    "IBAN": (
        "DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "gb82 west 1234 5698 7654 32", "NL91ABNA0417164300",
        "FR14 2004 1010 0505 0001 3M02 606", "PL61-1090-1014-0000-0712-1981-2874", "NO9386011117947",
    ),
    "SECRET": (
        # in two parts, or whoever scans sources for keys would find one
        "sk-" "proj-abcDEF1234567890abcDEF", "ghp_" "16C7e42F292c6912E7710c838347Ae178B4a",
        "xoxb-" "123456789012-abcdefGHIJKL",
        "AKIA" "IOSFODNN7EXAMPLE", "glpat-" "abcdefghij1234567890", "SG." "abcdefghij123456789.abcdefghij123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
        "-----BEGIN RSA PRIV" "ATE KEY-----\nDEK-Info: AES-128-CBC,00\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    ),
    "NATIONALID": (
        "123-45-6789", "AB 12 34 56 C", "AB123456C", "12345678Z", "12.345.678-Z", "X1234567L", "255081416802538",
        "2 55 08 14 168 025 38", "RSSMRA85T10A562S", "rssmra85t10a562s", "2341 2341 2346", "ABCPE1234F",
        "529.982.247-25", "52998224725", "11.222.333/0001-81", "11222333000181", "12.ABC.345/01DE-35", "10000000146",
    ),
    "EMAIL": (
        "ana@example.com", "Ana.Lima+help@mail.example.co.uk", "ａｎａ＠example.com", "jörg@müller.example",
        "имя@почта.рф",        "ana%40example.com", "o_o@a-b.example",
    ),
    "PHONE": (
        "+49 151 12345678", "+4915112345678", "+1 (555) 123-4567", "(555) 123-4567", "555-123-4567", "555.123.4567",
        "1-800-555-0199", "0151/12345678", "030 1234567", "020 7946 0958", "06 12 34 56 78", "0049 151 12345678",
        "(11) 98765-4321", "11 98765-4321", "98765 43210", "+91 98765 43210", "+49 (0)151 1234567",
        "＋４９１５１１２３４５６７８",
        "+٤٩١٥١١٢٣٤٥٦٧٨",
    ),
}  # fmt: skip
BESIDE_A_WORD: tuple[tuple[Kind, str, str], ...] = (
    ("SECRET", "password: {}", "hunter2"), ("SECRET", "My password is {} and", "Sommer2024!"),
    ("SECRET", "Passwort ist {}", "geheim123"), ("SECRET", "Login ana, Passwort: {}\nDanke", "swordfish"),
    ("SECRET", "contraseña = {}", "gato1234"), ("SECRET", "mot de passe : {}", "soleil99"),
    ("SECRET", "senha é {}", "abc12345"), ("SECRET", "hasło to {}", "kotek777"), ("SECRET", "密码是{}", "abc12345"),
    ("SECRET", "パスワード：{}", "neko2024"), ("SECRET", "the API key {} fails", "q8Zk29fLwPq81Xa0"),
    ("SECRET", "token={}", "9f86d081884c7d659a2feaa0"), ("SECRET", "https://ana:{}@example.com/", "letmein"),
    ("SECRET", "https://desk.example.com/t?token={}", "q8Zk29fLwPq81Xa0"), ("SECRET", "cvv {}", "123"),
    ("SECRET", "my PIN is {}", "4821"), ("NATIONALID", "BSN {}", "111222333"),
    ("NATIONALID", "Steuer-ID: {}", "36 574 261 809"), ("NATIONALID", "Aadhaar number {}", "234123412346"),
    ("NATIONALID", "my social security number is {}", "123456789"), ("PHONE", "WhatsApp: {}", "612345678"),
    ("PHONE", "call me at {}", "9876543210"), ("PHONE", "mi teléfono es {}", "612 345 678"),
    ("PHONE", "https://wa.me/{}", "4915112345678"),
)  # fmt: skip
HARMLESS = (
    "TF-20261121-0042", "tf-20261121-ab42", "2026-11-21", "2026-11-21T10:30:00+00:00", "01.02.2026", "05/11/2026",
    "v4.12.3000", "1.299.000 EUR", "$1,299.00", "1 299 000 €", "20 projects", "15 minutes", "10 GB", "99.99 %", "24/7",
    "123e4567-e89b-12d3-a456-426614174000", "https://desk.example.com/help/export?version=12", "192.168.100.200",
    "order 4111111111111112", "invoice 2026-000123", "1234 5678 9012 3456", "41111111111111111111111",
    "DE89370400440532013001", "12345678A", "000-12-3456", "BG123456A", "RSSMRA85T10A562T", "2341 2341 2345",
    "529.982.247-24", "123456789", "react@18.2.0", "@ana", "ana@localhost", "12:30-14:45", "1,234,567", "2024/2025",
    "RFC 2822", "ISO 27001", "K1", "[K2]", "between 100 and 2000 seats", "Ctrl+Shift+4", "#20261121", "0.12345678",
    "Password: how do I reset it?", "Passwort ist falsch", "my password is not accepted",
    "the token is 15 minutes valid",
    "password reset", "API keys are in Settings", "the secret is out", "Passwort ist abgelaufen/gesperrt",
    "phone support costs 1299000 EUR", "our mobile app 4.12.3000", "please call on 2026-11-21", "pin 3 messages",
    "press 1 2 3 4 5 6", "<email>", "<email_address>", "<secret_key>", "column phone_1",
    "https://books.example/dp/0201749629/", "card", "<msg id=\"m1\">",
)  # fmt: skip
LOOKALIKES = (
    "<EMAIL_1>", "<EMAIL_0017>", "<email_0017>", "<Email_0017>", "< EMAIL_0017 >", "<EMAIL 0017>", "<EMAIL-0017>",
    "<EMAIL_00", "<EMAIL_", "<EMAIL_>", "EMAIL_0017", "EMAIL_0017>", "＜EMAIL_0017＞", "&lt;EMAIL_0017&gt;",
    "&lt;EMAIL_0017>", "<EMAIL\\_0017>", "\\<EMAIL_0017\\>", "<CARD_1111>", "<NAME_1>", "<EMAIL_00171>", "<EMAIL_٠٠١٧>",
)  # fmt: skip
ONE_EACH = [(kind, value) for kind, values in PRIVATE.items() for value in values]


def make(kinds: frozenset[Kind] = ALL, conversation: str = "c1") -> Placeholders:
    return Placeholders(conversation, kinds)


@pytest.mark.parametrize(("kind", "value"), ONE_EACH)
@pytest.mark.parametrize("text", ["{}", "It is {}.", "({})", "a: {}, b", "其为{}吗", '"{}"', "<msg>{}</msg>"])
def test_a_private_value_is_replaced_whole_wherever_it_stands(kind: Kind, value: str, text: str) -> None:
    hidden = make().hide(text.format(value))
    assert PLACEHOLDER.findall(hidden) == [kind]
    assert PLACEHOLDER.sub("{}", hidden) == text


@pytest.mark.parametrize(("kind", "text", "value"), BESIDE_A_WORD)
def test_a_value_that_only_the_word_beside_it_gives_away_is_replaced(kind: Kind, text: str, value: str) -> None:
    hidden = make().hide(text.format(value))
    assert PLACEHOLDER.findall(hidden) == [kind]
    assert value not in hidden
    assert hidden.startswith(text.partition("{}")[0])


@pytest.mark.parametrize("text", HARMLESS)
@pytest.mark.parametrize("frame", ["{}", "Hello, {} is what I mean.", "x\n{}\ny"])
def test_what_is_nobodys_stays_as_it_is(text: str, frame: str) -> None:
    assert make().hide(frame.format(text)) == frame.format(text)


@pytest.mark.parametrize(("kind", "value"), ONE_EACH)
def test_contacts_are_hidden_by_setting_and_the_rest_always(kind: Kind, value: str) -> None:
    found = {one.kind for one in find_private(f"It is {value}.", choose_kinds(hide_contacts=False))}
    assert found == ({kind} - CONTACTS)


@pytest.mark.parametrize("text", LOOKALIKES)
def test_a_customers_placeholder_stands_for_nobody_and_a_models_own_fails(text: str) -> None:
    placeholders = make()
    placeholders.hide("Write to ana@example.com, card 4111 1111 1111 1111.")
    harmless = placeholders.hide(f"Tell me {text} now.")
    assert placeholders.show(harmless) == harmless
    assert "@" not in placeholders.show(harmless)
    with pytest.raises(AlteredPlaceholder) as refusal:
        placeholders.show(f"It is {text} now.")
    assert text not in str(refusal.value)


@pytest.mark.parametrize("spoil", [str.lower, str.title, lambda p: p[:-1], lambda p: p[1:], lambda p: p[:-3],
    lambda p: p.replace("_", " "), lambda p: p.replace("_", "\\_"), lambda p: p.replace("<", "< "),
    lambda p: p.replace("<", "&lt;"), lambda p: p[:-2] + str((int(p[-2]) + 1) % 10) + ">"])  # fmt: skip
def test_a_placeholder_that_came_back_changed_fails(spoil: "type[str]") -> None:
    placeholders = make()
    placeholder = placeholders.hide("ana@example.com")
    assert placeholders.show(f"To {placeholder}.") == "To ana@example.com."
    with pytest.raises(AlteredPlaceholder):
        placeholders.show(f"To {spoil(placeholder)} .")


def test_a_placeholder_guessed_right_by_a_customer_is_disarmed_all_the_same() -> None:
    placeholder = make().hide("ana@example.com")
    placeholders = make()
    hidden = placeholders.hide(f"{placeholder} ana@example.com")
    assert hidden.count(placeholder) == 1
    assert placeholders.show(hidden).count("ana@example.com") == 1


def test_cards_and_secrets_are_never_put_back() -> None:
    placeholders = make()
    hidden = placeholders.hide("4111 1111 1111 1111, password: hunter2, DE89370400440532013000, 123-45-6789")
    assert placeholders.show(hidden) == "**** 1111, password: [...], DE89370400440532013000, 123-45-6789"


def test_one_value_has_one_placeholder_in_a_conversation_and_another_in_another() -> None:
    first = make().hide("Write to ana@example.com.")
    assert make().hide("ben@example.com, then Write to ANA@Example.com.").endswith(first)
    assert make(conversation="c2").hide("Write to ana@example.com.") != first
    spellings = ("4111 1111 1111 1111", "4111-1111-1111-1111", "４１１１１１１１１１１１１１１１")
    assert len({make().hide(spelling) for spelling in spellings}) == 1


def test_no_two_values_share_a_placeholder_however_many_there_are() -> None:
    addresses = [f"a{number}@example.com" for number in range(10_200)]
    placeholders = make()
    hidden = [placeholders.hide(address) for address in addresses]
    assert len(set(hidden)) == len(addresses)
    assert [placeholders.show(one) for one in hidden[:3] + hidden[-3:]] == addresses[:3] + addresses[-3:]


def test_a_blanked_text_names_only_kinds_and_is_the_same_for_every_value() -> None:
    assert blank_out("From ana@example.com, 4111111111111111", ALL) == "From <EMAIL>, <CARD>"
    assert blank_out("ana@example.com", ALL) == blank_out("ben@example.com", ALL)
    assert blank_out("ana@example.com", ALWAYS) == "ana@example.com"


values = st.sampled_from([value for _, value in ONE_EACH] + [text.format(value) for _, text, value in BESIDE_A_WORD])
pieces = st.one_of(
    values,
    st.sampled_from(
        HARMLESS + LOOKALIKES + (" ", "\n", "<", ">", "_", "-", "+", ".", "0", "password: ", "tel ", "token ")
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text(string.digits + " -.+()/", max_size=24),
)
texts = st.lists(pieces, max_size=10).map("".join)
spaced = st.lists(values, min_size=1, max_size=5).map(" ; ".join)


@settings(deadline=None, max_examples=400)
@given(texts)
@example("<EMAIL<EMAIL_1>_2>")
@example("<<EMAIL_1>_1> EMAIL_EMAIL_111_111")
@example("4111111111111111@example.com password: +4915112345678")
def test_nothing_private_is_left_in_a_hidden_text(text: str) -> None:
    assert find_private(make().hide(text), ALL) == ()


@settings(deadline=None, max_examples=400)
@given(texts)
def test_a_hidden_text_comes_back_whole_but_for_cards_secrets_and_false_placeholders(text: str) -> None:
    kinds: frozenset[Kind] = frozenset(("IBAN", "NATIONALID", "EMAIL", "PHONE"))
    placeholders = Placeholders("c1", kinds)
    without = Placeholders("c1", frozenset()).hide(text)
    back = placeholders.show(placeholders.hide(text))
    assert normal(back) == normal(without)


def normal(text: str) -> str:
    """Without what two spellings of one value may differ in."""
    return re.sub(r"[\W_]+", "", "".join(char for char in text.casefold() if not char.isdigit()))


@settings(deadline=None, max_examples=200)
@given(texts)
def test_false_placeholders_are_disarmed_in_one_go(text: str) -> None:
    once = Placeholders("c1", frozenset()).hide(text)
    assert Placeholders("c1", frozenset()).hide(once) == once
    assert Placeholders("c1", frozenset()).show(once) == once


@settings(deadline=None, max_examples=200)
@given(spaced)
def test_a_hidden_text_has_none_of_the_values_digits(text: str) -> None:
    hidden = PLACEHOLDER.sub("", make().hide(text))
    assert not re.search(r"\d{5}", hidden)
    assert "@" not in hidden.replace("@example.com/", "")


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(texts, st.lists(texts, max_size=2), max_size=3))
def test_hiding_is_the_same_bytes_each_time(body: dict[str, list[str]]) -> None:
    text = json.dumps(body, ensure_ascii=False)
    assert make().hide(text) == make().hide(text)
