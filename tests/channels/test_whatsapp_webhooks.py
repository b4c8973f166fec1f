"""Whether it is Twilio: every way in which the signature check was seen to go wrong."""

from datetime import UTC, datetime

import pytest

from channels.base import InvalidSignature, read_payload
from channels.whatsapp_webhooks import Fields, UnreadableWebhook, WhatsAppAccount, WhatsAppWebhooks
from tests.channels.twilio import ACCOUNT, CUSTOMER, PUBLIC, Pairs, encode, make_message, make_status, sign

TARGET = "/webhooks/whatsapp"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WEBHOOKS = WhatsAppWebhooks(ACCOUNT, PUBLIC)


def read(pairs: Pairs, **changed: str) -> dict[str, object]:
    fields = Fields([*make_message(**changed), *pairs])
    return WEBHOOKS.read_message(fields, NOW)


def test_signature_is_the_one_twilio_documents() -> None:
    webhooks = WhatsAppWebhooks(WhatsAppAccount("", "12345", "+18005551212"), "https://mycompany.com")
    pairs = [
        ("CallSid", "CA1234567890ABCDE"), ("Caller", "+14158675309"), ("Digits", "1234"),
        ("From", "+14158675309"), ("To", "+18005551212"),
    ]  # fmt: skip
    fields = webhooks.read_signed("/myapp.php?foo=1&bar=2", encode(pairs), "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    assert fields.first("Digits") == "1234"


@pytest.mark.parametrize(
    "more",
    [
        [("Empty", "")],
        [("Repeated", "b"), ("Repeated", "a"), ("Repeated", "a")],
        [("Zip", "1"), ("apple", "2"), ("Ärger", "3")],
        [("Body2", "a&b=c%20d+e\r\n\tf 😀 \u200d é")],
        [("a field of tomorrow", "x" * 5000)],
    ],
)
def test_every_parameter_counts(more: Pairs) -> None:
    pairs = [*make_message(), *more]
    signature = sign(TARGET, pairs)
    assert WEBHOOKS.read_signed(TARGET, encode(pairs), signature) == Fields(pairs)
    with pytest.raises(InvalidSignature):
        WEBHOOKS.read_signed(TARGET, encode(make_message()), signature)


@pytest.mark.parametrize("target", [TARGET + "?a=1&b=", "/webhooks/what%73app", "/webhooks/whatsapp?x=%20+%C3%A9"])
def test_path_and_query_are_taken_as_they_came(target: str) -> None:
    pairs = make_message()
    assert WEBHOOKS.read_signed(target, encode(pairs), sign(target, pairs))
    with pytest.raises(InvalidSignature):
        WEBHOOKS.read_signed(target + "&", encode(pairs), sign(target, pairs))


@pytest.mark.parametrize("base", ["https://desk.example.com:443", "https://desk.example.com"])
def test_default_port_may_be_signed_or_not(base: str) -> None:
    pairs = make_message()
    assert WEBHOOKS.read_signed(TARGET, encode(pairs), sign(TARGET, pairs, base=base))


def forge(case: str) -> tuple[str, bytes, str]:
    """Target, body and signature of a request that must be refused."""
    pairs = make_message()
    body, signature = encode(pairs), sign(TARGET, pairs)
    match case:
        case "no signature":
            return TARGET, body, ""
        case "another token":
            return TARGET, body, sign(TARGET, pairs, token="another")
        case "http for https":
            return TARGET, body, sign(TARGET, pairs, base="http://desk.example.com")
        case "another host":
            return TARGET, body, sign(TARGET, pairs, base="https://evil.example")
        case "another path":
            return TARGET + "/status", body, signature
        case "a query more":
            return TARGET + "?x=1", body, signature
        case "a letter more":
            return TARGET, body, signature + "A"
        case "not ASCII":
            return TARGET, body, "ä" * len(signature)
        case "a text changed":
            return TARGET, body.replace(b"invoice", b"refund"), signature
        case "a field dropped":
            return TARGET, body.replace(b"&Empty=", b""), signature
        case "not UTF-8":
            return TARGET, body + b"&x=\xff", signature
        case "escapes that are not UTF-8":
            return TARGET, body + b"&x=%ff", signature
        case "a lone surrogate":
            return TARGET, body + b"&x=%ed%a0%80", signature
        case "too many fields":
            return TARGET, b"&".join(b"f%d=" % number for number in range(1001)), signature
        case "JSON":
            return TARGET + "?bodySHA256=" + "0" * 64, b'{"a": 1}', signature
    return TARGET, b"", signature


CASES = [
    "no signature", "another token", "http for https", "another host", "another path", "a query more", "a letter more",
    "not ASCII", "a text changed", "a field dropped", "not UTF-8", "escapes that are not UTF-8", "a lone surrogate",
    "too many fields", "JSON", "no body",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_forgery_is_refused(case: str) -> None:
    with pytest.raises(InvalidSignature):
        WEBHOOKS.read_signed(*forge(case))


@pytest.mark.parametrize("base", ["https://desk.example.com:port", "https://desk.example.com:99999", "https://[::1"])
def test_address_nobody_can_read_refuses_instead_of_failing(base: str) -> None:
    pairs = make_message()
    with pytest.raises(InvalidSignature):
        WhatsAppWebhooks(ACCOUNT, base).read_signed(TARGET, encode(pairs), sign(TARGET, pairs))


def test_signed_request_without_fields_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        WEBHOOKS.read_signed(TARGET, b"", sign(TARGET, []))


def test_signed_request_of_another_account_is_refused() -> None:
    pairs = make_message(AccountSid="AC00000000000000000000000000000002")
    with pytest.raises(InvalidSignature, match="account"):
        WEBHOOKS.read_signed(TARGET, encode(pairs), sign(TARGET, pairs))


@pytest.mark.parametrize("number", ["whatsapp:+14155238887", "+14155238886", "", "whatsapp:"])
def test_message_to_another_number_is_refused(number: str) -> None:
    with pytest.raises(InvalidSignature, match="recipient"):
        read([], To=number)


@pytest.mark.parametrize("sender", ["", "whatsapp:", "whatsapp:+0123", "whatsapp:+1' or 1=1", "whatsapp:+" + "1" * 40])
def test_message_without_a_sender_is_not_readable(sender: str) -> None:
    with pytest.raises(UnreadableWebhook):
        read([], From=sender)


@pytest.mark.parametrize("vendor_id", ["", "SM\x00", "../x", "S" * 100])
def test_message_without_an_id_is_not_readable(vendor_id: str) -> None:
    with pytest.raises(UnreadableWebhook):
        read([], MessageSid=vendor_id)


def test_message_becomes_a_payload_the_worker_reads() -> None:
    payload = WEBHOOKS.read_message(Fields(make_message(" Hello\r\nthere ", MessageSid="SM12")), NOW)
    message = read_payload(payload | {"sent_at": NOW.isoformat()})
    assert (message.channel, message.thread_key, message.external_id) == ("whatsapp", CUSTOMER, "SM12")
    assert (message.body, message.subject, message.category, message.trust) == ("Hello\nthere", "", None, 3)
    assert message.customer == {
        "kind": "phone", "value": CUSTOMER, "proof": "provider", "name": "Ana Pérez", "plan": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"NumMedia": "1", "MediaContentType0": "image/jpeg"}, "[image]"),
        ({"NumMedia": "1", "MediaContentType0": "audio/ogg; codecs=opus"}, "[voice message]"),
        ({"NumMedia": "2", "MediaContentType0": "video/mp4", "MediaContentType1": "text/vcard"}, "[video] [file]"),
        ({"Latitude": "1.5", "Longitude": "2.5"}, "[location]"),
        ({"NumMedia": "99999999999"}, "[message without text]"),
        ({"NumMedia": "-1"}, "[message without text]"),
        ({"Body": "Look", "NumMedia": "1", "MediaContentType0": "image/png"}, "Look\n[image]"),
        ({"Body": "nul\x00 and bell\x07"}, "nul and bell"),
    ],
)
def test_nothing_that_came_is_lost(fields: dict[str, str], body: str) -> None:
    assert WEBHOOKS.read_message(Fields(make_message(**({"text": ""} | fields))), NOW)["body"] == body


@pytest.mark.parametrize(
    ("name", "read_as"),
    [("", None), (" \u2028\x00 ", None), ("Ana\nLima", "Ana Lima"), ("x" * 900, "x" * 200)],
)
def test_name_is_one_short_line(name: str, read_as: str | None) -> None:
    customer = read([], ProfileName=name)["customer"]
    assert isinstance(customer, dict)
    assert customer["name"] == read_as


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("queued", "sending"), ("accepted", "sending"), ("sent", "sent"), ("DELIVERED", "delivered"), ("read", "read"),
        ("undelivered", "failed"), ("failed", "failed"), ("canceled", "failed"), ("dreamt", None),
    ],
)  # fmt: skip
def test_status_is_said_in_our_words(theirs: str, ours: str | None) -> None:
    update = WEBHOOKS.read_status(Fields(make_status("SM1", theirs)))
    assert (update.vendor_id, update.status, update.error) == ("SM1", ours, None)


@pytest.mark.parametrize(
    ("code", "error"), [("63016", "Twilio 63016"), ("0", None), ("", None), ("<script>", None), ("٣", None)]
)
def test_error_of_a_status_is_its_code(code: str, error: str | None) -> None:
    update = WEBHOOKS.read_status(
        Fields([*make_status("SM1", "failed", ErrorCode=code), ("Twice", "1"), ("Twice", "2")])
    )
    assert update.error == error
    assert update.payload["ErrorCode"] == code
    assert update.payload["Twice"] == ["1", "2"]
