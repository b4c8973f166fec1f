"""What Twilio posts to us under one account and one number."""

from collections.abc import Mapping
from datetime import datetime

from channels.twilio.account import WhatsAppAccount
from channels.twilio.fields import Fields
from channels.twilio.messages import PostedMessage, read_message
from channels.twilio.signature import SignatureCheck
from channels.twilio.statuses import StatusUpdate, read_status


class WhatsAppWebhooks:
    """Reads what is posted; see the functions it calls."""

    def __init__(self, account: WhatsAppAccount, public_base_url: str) -> None:
        self.account = account
        self.check = SignatureCheck(account, public_base_url)

    def read_signed(self, target: str, headers: Mapping[str, str], body: bytes) -> Fields:
        """The fields of a request that Twilio signed for our account; InvalidSignature for any other."""
        return self.check.read_signed(target, headers, body)

    def read_message(self, fields: Fields, sent_at: datetime) -> PostedMessage:
        """A customer's message. InvalidSignature for one to another number, UnreadableWebhook for one of nobody."""
        return read_message(fields, self.account, sent_at)

    def read_status(self, fields: Fields) -> StatusUpdate:
        """What became of a message of ours. UnreadableWebhook without a message's id."""
        return read_status(fields)
