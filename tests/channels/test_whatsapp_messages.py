"""What customers send on WhatsApp, of every kind, and what the worker reads of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.base import Attached, InvalidSignature, read_payload
from channels.twilio.fields import Fields
from channels.twilio.messages import PostedMessage, UnreadableWebhook, read_message
from tests.channels.twilio import ACCOUNT, CUSTOMER, Pairs, make_media, make_message

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
USER = "BR.1349120865530274"


def read(pairs: Pairs) -> PostedMessage:
    return read_message(Fields(pairs), ACCOUNT, NOW)


def read_body(**fields: str) -> tuple[str, str]:
    """Body and words of a message with these fields and no text."""
    payload = read(make_message(**({"text": ""} | fields))).payload
    return payload["body"], payload["words"]


@pytest.mark.parametrize("number", ["whatsapp:+14155238887", "+14155238886", "", "whatsapp:"])
def test_message_to_another_number_is_refused(number: str) -> None:
    with pytest.raises(InvalidSignature, match="recipient"):
        read(make_message(To=number))


@pytest.mark.parametrize("name", ["To", "From", "MessageSid"])
def test_message_with_two_of_what_says_who_is_refused(name: str) -> None:
    pairs = make_message()
    with pytest.raises(InvalidSignature, match="repeated"):
        read([*pairs, (name, dict(pairs)[name])])


@pytest.mark.parametrize(
    "sender", ["", "whatsapp:", "whatsapp:+0123", "whatsapp:+1' or 1=1", "whatsapp:+" + "1" * 40, "whatsapp:a\x00b"]
)
def test_message_of_nobody_is_not_readable(sender: str) -> None:
    with pytest.raises(UnreadableWebhook):
        read(make_message(From=sender))


@pytest.mark.parametrize("vendor_id", ["", "SM\x00", "../x", "S" * 100])
def test_message_without_an_id_is_not_readable(vendor_id: str) -> None:
    with pytest.raises(UnreadableWebhook):
        read(make_message(MessageSid=vendor_id))


def test_message_becomes_a_payload_the_worker_reads() -> None:
    payload = read(make_message(" Hello\r\nthere ", MessageSid="SM12")).payload
    message = read_payload(payload | {"sent_at": NOW.isoformat()})
    assert (message.channel, message.thread_key, message.external_id) == ("whatsapp", CUSTOMER, "SM12")
    assert (message.body, message.subject, message.category, message.trust) == ("Hello\nthere", "", None, 3)
    assert (message.words, message.address, message.attached) == ("Hello\nthere", CUSTOMER, ())
    assert message.customer == {
        "kind": "phone", "value": CUSTOMER, "proof": "provider", "name": "Ana Pérez", "plan": None,
    }  # fmt: skip


def test_message_without_most_of_its_fields_is_read() -> None:
    wanted = ("MessageSid", "From", "To", "Body", "AccountSid")
    posted = read([pair for pair in make_message("Hi") if pair[0] in wanted])
    assert (posted.payload["body"], posted.payload["customer"]["name"], posted.kept_as) == ("Hi", None, None)


@pytest.mark.parametrize(
    ("written", "one_form"),
    [("+551187654321", "+5511987654321"), ("+541123456789", "+5491123456789"), ("+5215512345678", "+525512345678")],
)
def test_spellings_of_a_number_are_one_customer_and_answers_go_to_the_one_they_wrote_from(
    written: str, one_form: str
) -> None:
    payload = read(make_message(From=f"whatsapp:{written}")).payload
    assert (payload["thread_key"], payload["customer"]["value"], payload["address"]) == (one_form, one_form, written)


@pytest.mark.parametrize("user", [USER, "US.ENT.11815799212886844830", "ana.lima_1"])
def test_sender_who_hides_their_number_is_known_by_their_id(user: str) -> None:
    payload = read(make_message(From=f"whatsapp:{user}", WaId="", ExternalUserId=f"whatsapp:{user}")).payload
    assert (payload["thread_key"], payload["address"]) == (user, user)
    assert (payload["customer"]["kind"], payload["customer"]["value"]) == ("whatsapp", user)


def test_id_beside_a_number_changes_nothing() -> None:
    assert read(make_message(ExternalUserId=f"whatsapp:{USER}")).payload["thread_key"] == CUSTOMER


@pytest.mark.parametrize(
    ("types", "marks"),
    [
        (["image/jpeg"], "[image]"),
        (["audio/ogg; codecs=opus"], "[voice message]"),
        (["VIDEO/mp4", "application/pdf"], "[video] [file]"),
        (["text/vcard"], "[contact]"),
        (["text/x-vcard; charset=utf-8", "image/webp"], "[contact] [image]"),
        ([""], "[file]"),
        (["image/png"] * 12, " ".join(["[image]"] * 10)),
    ],
)
def test_file_is_marked_in_its_place_and_is_no_word_of_the_customer(types: list[str], marks: str) -> None:
    payload = read(make_media(*types)).payload
    assert (payload["body"], payload["words"]) == (marks, "")
    assert len(payload["attached"]) == min(len(types), 10)
    captioned = read(make_media(*types, text="Look")).payload
    assert (captioned["body"], captioned["words"]) == (f"Look\n{marks}", "Look")


def test_files_are_fetched_from_where_twilio_says_they_lie() -> None:
    payload = read(make_media("image/jpeg", MediaUrl0="https://api.twilio.com/x")).payload
    message = read_payload(payload | {"sent_at": NOW.isoformat()})
    assert message.attached == (Attached("https://api.twilio.com/x", "image/jpeg"),)


@pytest.mark.parametrize("url", ["", "http://api.twilio.com/x", "file:///etc/passwd", "https://x\x00y", "x" * 3000])
def test_every_file_has_its_place_whatever_its_address(url: str) -> None:
    payload = read(make_media("image/jpeg", "audio/ogg; codecs=opus", MediaUrl0=url)).payload
    assert payload["body"] == "[image] [voice message]"
    assert [one["type"] for one in payload["attached"]] == ["image/jpeg", "audio/ogg"]
    assert len(payload["attached"][0]["url"]) <= 2000


@pytest.mark.parametrize(("count", "body"), [("99999999999", "Hi"), ("-1", "Hi"), ("٣", "Hi"), ("", "Hi")])
def test_number_of_files_nobody_can_read_is_none(count: str, body: str) -> None:
    assert read(make_message("Hi", NumMedia=count)).payload["body"] == body


def test_file_that_twilio_does_not_count_is_not_lost() -> None:
    assert read(make_media("image/jpeg", NumMedia="0")).payload["body"] == "[image]"


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"Latitude": "-23.5614", "Longitude": "-46.6559"}, "[location: -23.5614, -46.6559]"),
        (
            {"Latitude": "1.5", "Longitude": "2.5", "Label": "Ana's\nshop", "Address": "Main St. 1"},
            "[location: Ana's shop, Main St. 1 (1.5, 2.5)]",
        ),
        ({"Address": "Main St. 1"}, "[location: Main St. 1]"),
        ({"Latitude": "91", "Longitude": "2", "Label": "Pole"}, "[location: Pole]"),
        ({"Latitude": "1.5", "Longitude": "<b>", "Label": "Shop"}, "[location: Shop]"),
        ({"Latitude": "nan", "Longitude": "inf", "Label": "Shop"}, "[location: Shop]"),
        ({"text": "Here", "Latitude": "1", "Longitude": "2"}, "Here\n[location: 1, 2]"),
    ],
)
def test_location_is_said_in_words(fields: dict[str, str], body: str) -> None:
    # a place alone says where, and nothing of what they want
    assert read_body(MessageType="location", **fields) == (body, body if "text" in fields else "")


def test_location_without_a_place_is_marked() -> None:
    assert read_body(MessageType="location") == ("[location]", "")


def test_contact_that_came_without_its_card_is_marked() -> None:
    assert read_body(MessageType="contacts") == ("[contact]", "")


FORM = {"interactive": {"type": "nfm_reply", "nfm_reply": {"name": "flow", "response_json": '{"order": 17, "why": ["late"], "flow_token": "x"}'}}}  # fmt: skip  # noqa: E501
LIST = {"interactive": {"type": "list_reply", "list_reply": {"id": "row-3", "title": "Express", "description": "Tomorrow"}}}  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "Yes", "ButtonText": "Yes", "ButtonPayload": "yes-1", "MessageType": "button"}, "Yes"),
        ({"ButtonText": "Yes", "ButtonPayload": "yes-1"}, "Yes"),
        ({"text": "yes-1", "ButtonText": "Yes, please", "ButtonPayload": "yes-1"}, "Yes, please"),
        ({"ButtonPayload": "yes-1"}, "yes-1"),
        (
            {"text": "Express", "ListTitle": "Express", "ListDescription": "Tomorrow", "ListId": "3"},
            "Express\nTomorrow",
        ),
        ({"ListId": "row-3"}, "row-3"),
        ({"text": "Express", "InteractiveData": json.dumps(LIST)}, "Express\nTomorrow"),
        ({"InteractiveData": json.dumps(FORM)}, "17\nlate"),
        ({"InteractiveData": "not JSON"}, "not JSON"),
        ({"InteractiveData": '{"a": "\\ud800x\\u0000"}'}, "x"),
        ({"InteractiveData": "[" * 3000}, "[" * 3000),
        ({"InteractiveData": "[" * 20 + '"deep"' + "]" * 20, "text": "Hi"}, "Hi"),
    ],
)
def test_tap_says_what_the_customer_saw_and_waits_for_no_more(fields: dict[str, str], words: str) -> None:
    posted = read(make_message(**({"text": ""} | fields)))
    assert (posted.payload["body"], posted.payload["words"], posted.is_tap) == (words, words, True)


def test_typed_message_is_no_tap() -> None:
    assert not read(make_message(ButtonText="", ListId="")).is_tap


@pytest.mark.parametrize(
    ("fields", "kept_as", "body"),
    [
        ({"MessageType": "reaction", "text": "👍"}, "reaction", "[reaction: 👍]"),
        ({"MessageType": "reaction"}, "reaction", "[reaction]"),
        ({"ReactionEmoji": "❤️"}, "reaction", "[reaction: ❤️]"),
        ({"MessageType": "", "NumMedia": "1", "MediaContentType0": "image/webp"}, "sticker", "[sticker]"),
        ({"MessageType": "Sticker", "NumMedia": "1", "MediaContentType0": "image/webp"}, "sticker", "[sticker]"),
        ({"MessageType": "edited"}, "edited", "[edited message]"),
        ({"MessageType": "ephemeral"}, "ephemeral", "[ephemeral message]"),
    ],
)
def test_what_says_nothing_is_only_kept(fields: dict[str, str], kept_as: str, body: str) -> None:
    posted = read(make_message(**({"text": ""} | fields)))
    assert (posted.kept_as, posted.payload["body"]) == (kept_as, body)


@pytest.mark.parametrize("kind", ["sticker", "edited", "ephemeral", "text", "unsupported", "of tomorrow", ""])
def test_words_are_read_whatever_they_came_as(kind: str) -> None:
    posted = read(make_message("Where is it?", MessageType=kind))
    assert (posted.kept_as, posted.payload["body"]) == (None, "Where is it?")


@pytest.mark.parametrize("kind", ["text", "unsupported", "unknown", "order", ""])
def test_message_that_cannot_be_shown_is_still_a_message(kind: str) -> None:
    posted = read(make_message("", MessageType=kind))
    assert (posted.kept_as, posted.payload["body"]) == (None, "[message that cannot be shown]")
    assert posted.payload["words"] == ""


def test_picture_in_a_stickers_format_is_a_picture() -> None:
    posted = read(make_media("image/webp", MessageType="image"))
    assert (posted.kept_as, posted.payload["body"]) == (None, "[image]")


def test_text_is_kept_without_what_cannot_be_stored() -> None:
    assert read(make_message("nul\x00 and bell\x07")).payload["body"] == "nul and bell"


@pytest.mark.parametrize(
    ("name", "read_as"),
    [("", None), (" \u2028\x00 ", None), ("Ana\nLima", "Ana Lima"), ("x" * 900, "x" * 200)],
)
def test_name_is_one_short_line(name: str, read_as: str | None) -> None:
    assert read(make_message(ProfileName=name)).payload["customer"]["name"] == read_as


# STOP and START


@pytest.mark.parametrize(
    ("pairs", "wish", "is_told"),
    [
        (make_message("stop!"), "stop", True),
        (make_message("STOP", OptOutType="STOP"), "stop", False),
        (make_message("Aufhören", OptOutType="stop"), "stop", False),
        (make_message("", ButtonText="Stop"), "stop", True),
        (make_message("START"), "start", False),
        (make_message("Los", OptOutType="START"), "start", False),
        (make_message("HELP", OptOutType="HELP"), None, False),
        (make_message("STOP", OptOutType="HELP"), None, False),
        (make_message("Please stop the export"), None, False),
        (make_media("image/png", text="Stop"), None, False),
        (make_message("STOP", MessageType="reaction"), None, False),
    ],
)
def test_wish_of_a_customer_is_found(pairs: Any, wish: str | None, is_told: bool) -> None:
    posted = read(pairs)
    assert (posted.wish, posted.farewell is not None) == (wish, is_told)
