"""Whether it is Twilio: every way in which the signature check was seen to go wrong."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from twilio.request_validator import HMAC_SHA1, HMAC_SHA256

from channels.base import InvalidSignature
from channels.twilio.account import WhatsAppAccount
from channels.twilio.fields import Fields
from channels.twilio.signature import SignatureCheck
from tests.channels.twilio import ACCOUNT, KEY, PUBLIC, Pairs, encode, make_headers, make_message, sign

TARGET = "/webhooks/whatsapp"
BY_TOKEN = SignatureCheck(ACCOUNT, PUBLIC)
BY_KEY = SignatureCheck(replace(ACCOUNT, signature_key=KEY), PUBLIC)
SETTINGS = "x-twilio-webhooks-signature-settings"
NAMED = f"key={KEY.sid},algorithm=HMAC_SHA256"


def read(pairs: Pairs, signature: str, *, target: str = TARGET, check: SignatureCheck = BY_TOKEN) -> Fields:
    return check.read_signed(target, make_headers(signature), encode(pairs))


def test_signature_is_the_one_twilio_documents() -> None:
    check = SignatureCheck(WhatsAppAccount("", "12345", "+18005551212"), "https://mycompany.com")
    pairs = [
        ("CallSid", "CA1234567890ABCDE"), ("Caller", "+14158675309"), ("Digits", "1234"),
        ("From", "+14158675309"), ("To", "+18005551212"),
    ]  # fmt: skip
    fields = read(pairs, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", target="/myapp.php?foo=1&bar=2", check=check)
    assert fields.first("Digits") == "1234"


def test_signature_of_a_shared_key_is_sha256_over_the_same_text() -> None:
    pairs = make_message()
    text = PUBLIC + TARGET + "".join(name + value for name, value in sorted(pairs))
    digest = hmac.new(KEY.secret.encode(), text.encode(), hashlib.sha256).digest()
    assert read(pairs, base64.b64encode(digest).decode(), check=BY_KEY) == Fields(pairs)


@pytest.mark.parametrize(
    "more",
    [
        [("Empty", "")],
        [("Repeated", "b"), ("Repeated", "a"), ("Repeated", "a")],
        [("Zip", "1"), ("apple", "2"), ("Ärger", "3")],
        [("zip", "1"), ("Zip", "2")],
        [("Body2", "a&b=c%20d+e\r\n\tf 😀 \u200d é")],
        [("a field of tomorrow", "x" * 5000)],
    ],
)
def test_every_parameter_counts(more: Pairs) -> None:
    pairs = [*make_message(), *more]
    signature = sign(TARGET, pairs)
    assert read(pairs, signature) == Fields(pairs)
    with pytest.raises(InvalidSignature):
        read(make_message(), signature)


def test_names_are_sorted_by_code_point() -> None:
    pairs = [*make_message(), ("Zip", "1"), ("apple", "2"), ("Ärger", "3")]
    by_letter = sorted(pairs, key=lambda pair: pair[0].casefold())
    assert read(by_letter[::-1], sign(TARGET, pairs)) == Fields(by_letter)
    text = PUBLIC + TARGET + "".join(name + value for name, value in by_letter)
    digest = hmac.new(ACCOUNT.auth_token.encode(), text.encode(), hashlib.sha1).digest()
    with pytest.raises(InvalidSignature):
        read(pairs, base64.b64encode(digest).decode())


@pytest.mark.parametrize(
    "target",
    [TARGET + "?a=1&b=", "/webhooks/what%73app", "/webhooks/whats%20app", "/webhooks/whatsapp?x=%20+%C3%A9", "/A/b"],
)
def test_path_and_query_are_taken_as_they_came(target: str) -> None:
    pairs = make_message()
    signature = sign(target, pairs)
    assert read(pairs, signature, target=target)
    for other in (target + "&", target.replace("%20", " ") + "/", target.swapcase()):
        with pytest.raises(InvalidSignature):
            read(pairs, signature, target=other)


@pytest.mark.parametrize("ours", ["https://desk.example.com:443", "https://desk.example.com"])
@pytest.mark.parametrize("theirs", ["https://desk.example.com:443", "https://desk.example.com"])
def test_default_port_may_be_signed_or_not(ours: str, theirs: str) -> None:
    pairs = make_message()
    assert read(pairs, sign(TARGET, pairs, base=theirs), check=SignatureCheck(ACCOUNT, ours))


def test_other_port_may_be_left_out_and_may_not_be_another() -> None:
    pairs, check = make_message(), SignatureCheck(ACCOUNT, "https://desk.example.com:8443")
    assert read(pairs, sign(TARGET, pairs, base="https://desk.example.com:8443"), check=check)
    assert read(pairs, sign(TARGET, pairs, base="https://desk.example.com"), check=check)
    with pytest.raises(InvalidSignature):
        read(pairs, sign(TARGET, pairs, base="https://desk.example.com:443"), check=check)


def test_connection_overrides_behind_the_address_are_not_signed() -> None:
    pairs = make_message()
    with pytest.raises(InvalidSignature):
        read(pairs, sign(TARGET + "#rc=2&rp=all", pairs))


@pytest.mark.parametrize("length", [0, 1, 28, 44, 10_000])
def test_signature_of_any_length_is_only_wrong(length: int) -> None:
    with pytest.raises(InvalidSignature):
        read(make_message(), "A" * length)


def forge(case: str) -> tuple[str, dict[str, str], bytes]:
    """Target, headers and body of a request that must be refused."""
    pairs = make_message()
    body, signature = encode(pairs), sign(TARGET, pairs)
    signed = make_headers(signature)
    match case:
        case "no signature":
            return TARGET, {"content-type": "application/x-www-form-urlencoded"}, body
        case "an empty signature":
            return TARGET, make_headers(""), body
        case "another token":
            return TARGET, make_headers(sign(TARGET, pairs, token="another")), body
        case "http for https":
            return TARGET, make_headers(sign(TARGET, pairs, base="http://desk.example.com")), body
        case "another host":
            return TARGET, make_headers(sign(TARGET, pairs, base="https://evil.example"), host="evil.example"), body
        case "another path":
            return TARGET + "/status", signed, body
        case "a query more":
            return TARGET + "?x=1", signed, body
        case "a letter more":
            return TARGET, make_headers(signature + "A"), body
        case "another case":
            return TARGET, make_headers(signature.swapcase()), body
        case "not ASCII":
            return TARGET, make_headers("ä" * len(signature)), body
        case "a text changed":
            return TARGET, signed, body.replace(b"invoice", b"refund")
        case "a field dropped":
            return TARGET, signed, body.replace(b"&Empty=", b"")
        case "a name in small letters":
            return TARGET, signed, body.replace(b"Empty=", b"empty=")
        case "not UTF-8":
            return TARGET, signed, body + b"&x=\xff"
        case "escapes that are not UTF-8":
            return TARGET, signed, body + b"&x=%ff"
        case "a lone surrogate":
            return TARGET, signed, body + b"&x=%ed%a0%80"
        case "a lone surrogate in the path":
            return TARGET + "\ud800", signed, body
        case "too many fields":
            many = [*pairs, *((f"f{number}", "") for number in range(5000))]
            return TARGET, make_headers(sign(TARGET, many)), encode(many)
        case "JSON by its hash":
            content = json.dumps(dict(pairs)).encode()
            target = TARGET + "?bodySHA256=" + hashlib.sha256(content).hexdigest()
            return target, make_headers(sign(target, []), **{"content-type": "application/json"}), content
        case "JSON by its hash that says it is a form":
            content = json.dumps(dict(pairs)).encode()
            target = TARGET + "?bodySHA256=" + hashlib.sha256(content).hexdigest()
            return target, make_headers(sign(target, [])), content
        case "a form beside the hash of JSON":
            target = TARGET + "?bodySHA256=" + hashlib.sha256(b"{}").hexdigest()
            return target, make_headers(sign(target, [])), body
        case "several parts":
            return TARGET, make_headers(signature, **{"content-type": "multipart/form-data; boundary=x"}), body
        case "plain text":
            return TARGET, make_headers(signature, **{"content-type": "text/plain"}), body
        case "no content type":
            return TARGET, {"x-twilio-signature": signature}, body
        case "sha256 by the token":
            return TARGET, make_headers(sign(TARGET, pairs, algorithm=HMAC_SHA256)), body
        case "sha256 by the token, and says so":
            named = {SETTINGS: NAMED}
            return TARGET, make_headers(sign(TARGET, pairs, algorithm=HMAC_SHA256), **named), body
        case "sha1 that names another algorithm":
            return TARGET, make_headers(signature, **{SETTINGS: NAMED}), body
        case "no body, signed":
            return TARGET, make_headers(sign(TARGET, [])), b""
    return TARGET, signed, b""


FORGERIES = [
    "no signature", "an empty signature", "another token", "http for https", "another host", "another path",
    "a query more", "a letter more", "another case", "not ASCII", "a text changed", "a field dropped",
    "a name in small letters", "not UTF-8", "escapes that are not UTF-8", "a lone surrogate",
    "a lone surrogate in the path", "too many fields", "JSON by its hash", "JSON by its hash that says it is a form",
    "a form beside the hash of JSON", "several parts", "plain text", "no content type", "sha256 by the token",
    "sha256 by the token, and says so", "sha1 that names another algorithm", "no body, signed", "no body",
]  # fmt: skip


@pytest.mark.parametrize("case", FORGERIES)
def test_forgery_is_refused(case: str) -> None:
    with pytest.raises(InvalidSignature):
        BY_TOKEN.read_signed(*forge(case))


@pytest.mark.parametrize("named", ["", NAMED, f" key = {KEY.sid} , algorithm = hmac_sha256 ", "algorithm=HMAC_SHA256"])
def test_shared_key_counts_whether_or_not_it_is_named(named: str) -> None:
    pairs = make_message()
    signature = sign(TARGET, pairs, token=KEY.secret, algorithm=HMAC_SHA256)
    assert BY_KEY.read_signed(TARGET, make_headers(signature, **{SETTINGS: named}), encode(pairs))


@pytest.mark.parametrize(
    ("token", "algorithm", "named"),
    [
        (ACCOUNT.auth_token, HMAC_SHA1, ""),
        (ACCOUNT.auth_token, HMAC_SHA1, "algorithm=HMAC_SHA1"),
        (ACCOUNT.auth_token, HMAC_SHA256, NAMED),
        (KEY.secret, HMAC_SHA1, ""),
        (KEY.secret, HMAC_SHA1, NAMED),
        (KEY.secret, HMAC_SHA256, f"key=webhooks_sharedkey_0002,algorithm={HMAC_SHA256}"),
        (KEY.secret, HMAC_SHA256, f"key={KEY.sid},algorithm=HMAC_SHA1"),
        (KEY.secret, HMAC_SHA256, f"{NAMED},algorithm=HMAC_SHA1"),
        (KEY.secret, HMAC_SHA256, f"key={KEY.sid},algorithm=NONE"),
        (KEY.secret, HMAC_SHA256, "algorithm="),
    ],
)
def test_with_a_shared_key_no_other_pair_counts(token: str, algorithm: str, named: str) -> None:
    pairs = make_message()
    headers = make_headers(sign(TARGET, pairs, token=token, algorithm=algorithm), **{SETTINGS: named})
    with pytest.raises(InvalidSignature):
        BY_KEY.read_signed(TARGET, headers, encode(pairs))


@pytest.mark.parametrize("base", ["https://desk.example.com:port", "https://desk.example.com:99999", "https://[::1"])
def test_address_nobody_can_read_refuses_instead_of_failing(base: str) -> None:
    pairs = make_message()
    with pytest.raises(InvalidSignature):
        read(pairs, sign(TARGET, pairs), check=SignatureCheck(ACCOUNT, base))


def test_signed_request_of_another_account_is_refused() -> None:
    pairs = make_message(AccountSid="AC00000000000000000000000000000002")
    with pytest.raises(InvalidSignature, match="account"):
        read(pairs, sign(TARGET, pairs))


def test_signed_request_that_names_two_accounts_is_refused() -> None:
    pairs = [*make_message(), ("AccountSid", "AC00000000000000000000000000000002")]
    with pytest.raises(InvalidSignature, match="repeated"):
        read(pairs, sign(TARGET, pairs))


def test_text_cut_up_into_another_sender_is_refused() -> None:
    """What is signed has no delimiters, so the signature of one text fits the same text cut in two."""
    victim = "whatsapp:+10000000000"
    sent = [pair for pair in make_message("HiFrom" + victim) if pair[0] != "Empty"]
    cut = [("From", victim), *((name, "Hi" if name == "Body" else value) for name, value in sent)]
    signature = sign(TARGET, sent)
    assert sign(TARGET, cut) == signature
    with pytest.raises(InvalidSignature, match="repeated"):
        read(cut, signature).only("From")


def test_account_moved_into_a_text_is_refused() -> None:
    pairs = make_message()
    moved = [("AccountSi", "d" + value) if name == "AccountSid" else (name, value) for name, value in pairs]
    signature = sign(TARGET, pairs)
    assert sign(TARGET, moved) == signature
    with pytest.raises(InvalidSignature, match="account"):
        read(moved, signature)
