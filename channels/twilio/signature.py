"""Whether a request is Twilio's, and of our account."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator

from channels.base import InvalidSignature
from channels.twilio.account import WhatsAppAccount
from channels.twilio.fields import Fields

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 500


class SignatureCheck:
    """Knows Twilio's signature by the one algorithm and key that are configured, whatever a request says of its own."""

    def __init__(self, account: WhatsAppAccount, public_base_url: str) -> None:
        self.account = account
        self.public_base_url = public_base_url
        key = account.signature_key
        self.algorithm = HMAC_SHA256 if key else HMAC_SHA1
        self.validator = RequestValidator(key.secret if key else account.auth_token)

    def read_signed(self, target: str, headers: Mapping[str, str], body: bytes) -> Fields:
        """The fields of a request that Twilio signed for our account; InvalidSignature for any other.

        target: path and query as they came, undecoded. Where they were sent to is taken from the settings, never from
        the request, whose Host header anybody may write. headers: by their names in small letters.
        """
        if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise InvalidSignature("content type")  # a body that is no form is not covered by the signature
        self.check_named(headers.get("x-twilio-webhooks-signature-settings", ""))
        try:
            fields = Fields(
                parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
            )
            signature = headers.get("x-twilio-signature", "")
            is_valid = self.validator.validate(self.public_base_url + target, fields, signature, self.algorithm)
        except (ValueError, TypeError, IndexError) as error:  # the validator's ways to say no
            raise InvalidSignature(type(error).__name__) from None
        if not is_valid:
            raise InvalidSignature("signature")
        if fields.only("AccountSid") != self.account.sid:
            raise InvalidSignature("account")
        return fields

    def check_named(self, named: str) -> None:
        """Raises InvalidSignature when a request names another key or algorithm than ours; it need not name any."""
        key = self.account.signature_key
        for part in named.split(","):
            name, _, value = (text.strip() for text in part.partition("="))
            if name == "algorithm" and value.upper() != self.algorithm:
                raise InvalidSignature("algorithm")
            if name == "key" and key is not None and value != key.sid:
                raise InvalidSignature("key")
