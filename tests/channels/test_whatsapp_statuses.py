"""What became of a message of ours, in words."""

import pytest

from channels.base import InvalidSignature
from channels.twilio.fields import Fields
from channels.twilio.messages import UnreadableWebhook
from channels.twilio.statuses import read_status
from tests.channels.twilio import make_status


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("queued", "sending"), ("accepted", "sending"), ("sent", "sent"), ("DELIVERED", "delivered"), ("read", "read"),
        ("undelivered", "failed"), ("failed", "failed"), ("canceled", "failed"), ("dreamt", "dreamt"),
    ],
)  # fmt: skip
def test_status_is_said_in_our_words(theirs: str, ours: str) -> None:
    update = read_status(Fields(make_status("SM1", theirs)))
    assert (update.vendor_id, update.status, update.error, update.is_blocked) == ("SM1", ours, None, False)


@pytest.mark.parametrize(
    ("code", "said"), [("63016", "only an approved template"), ("21610", "has opted out"), ("12345", "Twilio 12345")]
)
def test_error_of_a_status_says_what_it_means(code: str, said: str) -> None:
    update = read_status(Fields(make_status("SM1", "failed", ErrorCode=code)))
    assert update.error is not None
    assert f"Twilio {code}: " in update.error
    assert said in update.error
    assert update.is_blocked == (code == "21610")


@pytest.mark.parametrize("code", ["0", "", "<script>", "٣", "-1", "9" * 5000])
def test_code_that_is_none_is_no_error(code: str) -> None:
    update = read_status(Fields([*make_status("SM1", "failed", ErrorCode=code), ("Twice", "1"), ("Twice", "2")]))
    assert (update.error, update.is_blocked) == (None, False)
    assert update.payload["ErrorCode"] == code
    assert update.payload["Twice"] == ["1", "2"]


def test_status_of_no_message_and_of_two_is_not_taken() -> None:
    with pytest.raises(UnreadableWebhook):
        read_status(Fields(make_status("", "sent")))
    with pytest.raises(InvalidSignature):
        read_status(Fields([*make_status("SM1", "sent"), ("MessageSid", "SM2")]))
