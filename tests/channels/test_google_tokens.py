"""Whether a push is Google's: every way in which a token may not be, and what a flood of them may cost."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest

from channels.base import InvalidSignature
from channels.google_tokens import PushTokens
from tests.channels.google import HANG_UP, Google, Reply, open_google, say
from tests.channels.google_keys import AUDIENCE, SERVICE_ACCOUNT, lay_out, make_claims, make_jwk, make_key, make_token

CERTS = "GET /certs"


@dataclass
class Clock:
    """Monotonic seconds that pass only when told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    async with open_google() as opened:
        opened.on(CERTS, publish("k1", "k2"))
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(google: Google, clock: Clock) -> PushTokens:
    return PushTokens(AUDIENCE, SERVICE_ACCOUNT, f"{google.url}/certs", clock)


def publish(*names: str, age: str = "public, max-age=20000, must-revalidate") -> bytes:
    return say(200, {"keys": [make_jwk(name) for name in names]}, f"Cache-Control: {age}")


async def is_let_in(tokens: PushTokens, token: str) -> bool:
    try:
        await tokens.check(f"Bearer {token}")
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("issuer", ["accounts.google.com", "https://accounts.google.com"])
async def test_token_of_google_for_us_is_let_in(tokens: PushTokens, issuer: str) -> None:
    await tokens.check(f"Bearer {make_token(claims=make_claims(iss=issuer))}")
    await tokens.check(f"bearer {make_token('k2', make_claims(iss=issuer))}")


NOW = int(time.time())
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://accounts.google.com.evil.example"},
    "an issuer by http": {"iss": "http://accounts.google.com"},
    "a list of issuers": {"iss": ["accounts.google.com"]},
    "no issuer": {"iss": None},
    "another audience": {"aud": "https://other.example.com/webhooks/gmail"},
    "another case": {"aud": AUDIENCE.upper()},
    "a slash more": {"aud": AUDIENCE + "/"},
    "us among others": {"aud": [AUDIENCE, "https://other.example.com"]},
    "a list of us": {"aud": [AUDIENCE]},
    "no audience": {"aud": None},
    "another account": {"email": "push@other.iam.gserviceaccount.example"},
    "another account's case": {"email": SERVICE_ACCOUNT.upper()},
    "no account": {"email": None},
    "an account nobody verified": {"email_verified": False},
    "verified as a word": {"email_verified": "true"},
    "verified as a number": {"email_verified": 1},
    "nothing about verified": {"email_verified": None},
    "expired": {"exp": NOW - 120},
    "no expiry": {"exp": None},
    "an expiry of words": {"exp": "tomorrow"},
    "an endless expiry": {"exp": float("inf")},
    "issued tomorrow": {"iat": NOW + 86_400},
    "never issued": {"iat": None},
    "not valid yet": {"nbf": NOW + 86_400},
}


@pytest.mark.parametrize("case", WRONG_CLAIMS)
async def test_token_that_says_something_else_is_refused_and_fetches_nothing(
    google: Google, tokens: PushTokens, case: str
) -> None:
    token = make_token(claims=make_claims(**WRONG_CLAIMS[case]))
    with pytest.raises(InvalidSignature):
        await tokens.check(f"Bearer {token}")
    assert google.count(CERTS) == 0
    assert await is_let_in(tokens, make_token())
    assert not await is_let_in(tokens, token), "also once the key is known"


@pytest.mark.parametrize("changed", [{"exp": -20}, {"iat": 20}, {"nbf": 20}])
async def test_clocks_may_differ_by_seconds(tokens: PushTokens, changed: dict[str, int]) -> None:
    [(name, seconds)] = changed.items()
    assert await is_let_in(tokens, make_token(claims=make_claims(**{name: int(time.time()) + seconds})))


def forge(case: str) -> str:
    """A token that says all the right things and is not Google's."""
    genuine = make_token()
    head, claims, signature = genuine.split(".")
    match case:
        case "signed by somebody else":
            return jwt.encode(make_claims(), make_key("stranger"), "RS256", {"kid": "k1"})
        case "signed by another of the keys":
            return make_token("k2", kid="k1")
        case "no algorithm":
            return lay_out({"alg": "none", "typ": "JWT", "kid": "k1"}, make_claims())
        case "no algorithm, with a signature":
            return f"{lay_out({'alg': 'none', 'kid': 'k1'}, make_claims()).rstrip('.')}.{signature}"
        case "a secret for a key":
            return jwt.encode(make_claims(), "k" * 64, "HS256", {"kid": "k1"})
        case "a longer hash":
            return jwt.encode(make_claims(), make_key("k1"), "RS512", {"kid": "k1"})
        case "another padding":
            return jwt.encode(make_claims(), make_key("k1"), "PS256", {"kid": "k1"})
        case "a key of its own":
            own = {"jwk": make_jwk("stranger"), "kid": "k1"}
            return jwt.encode(make_claims(), make_key("stranger"), "RS256", own)
        case "claims changed":
            return f"{head}.{lay_out({}, make_claims(sub='2')).split('.')[1]}.{signature}"
        case "signature cut off":
            return f"{head}.{claims}."
        case "signature cut":
            return f"{head}.{claims}.{signature[:-8]}"
        case _:
            return jwt.encode(make_claims(), make_key("k1"), "RS256", {"kid": "../k1"})


FORGERIES = [
    "signed by somebody else", "signed by another of the keys", "no algorithm", "no algorithm, with a signature",
    "a secret for a key", "a longer hash", "another padding", "a key of its own", "claims changed",
    "signature cut off", "signature cut", "a key id of signs",
]  # fmt: skip


@pytest.mark.parametrize("case", FORGERIES)
async def test_forgery_is_refused(tokens: PushTokens, case: str) -> None:
    assert await is_let_in(tokens, make_token())
    with pytest.raises(InvalidSignature):
        await tokens.check(f"Bearer {forge(case)}")


NO_TOKENS = {
    "nothing": "",
    "no scheme": make_token(),
    "another scheme": f"Basic {make_token()}",
    "no token": "Bearer ",
    "two parts": "Bearer a.b",
    "four parts": f"Bearer {make_token()}.x",
    "not base64": "Bearer ä.ä.ä",
    "not JSON": f"Bearer {lay_out(b'no', b'no')}",
    "not UTF-8": f"Bearer {lay_out(bytes([255]), bytes([255]))}",
    "a list for claims": f"Bearer {lay_out({'alg': 'RS256', 'kid': 'k1'}, b'[]')}",
    "a list for a header": f"Bearer {lay_out(b'[]', b'{}')}",
    "no key id": f"Bearer {lay_out({'alg': 'RS256'}, make_claims())}",
    "a key id that is none": f"Bearer {lay_out({'alg': 'RS256', 'kid': ['k1']}, make_claims())}",
    "a deep well": f"Bearer {lay_out(b'[' * 2500, b'{}')}",
    "deep claims": f"Bearer {lay_out({'alg': 'RS256', 'kid': 'k1'}, b'[' * 2500)}",
    "far too long": f"Bearer {make_token(claims=make_claims(sub='x' * 50_000))}",
}


@pytest.mark.parametrize("case", NO_TOKENS)
async def test_what_is_no_token_is_refused_and_fetches_nothing(google: Google, tokens: PushTokens, case: str) -> None:
    with pytest.raises(InvalidSignature):
        await tokens.check(NO_TOKENS[case])
    assert google.count(CERTS) == 0


async def test_certificates_are_fetched_once_and_kept_as_long_as_google_says(
    google: Google, tokens: PushTokens, clock: Clock
) -> None:
    assert all(await asyncio.gather(*(is_let_in(tokens, make_token()) for _ in range(20))))
    clock.now += 19_999
    assert await is_let_in(tokens, make_token("k2"))
    assert google.count(CERTS) == 1
    clock.now += 2
    assert await is_let_in(tokens, make_token())
    assert google.count(CERTS) == 2


@pytest.mark.parametrize(
    ("age", "shortest", "longest"),
    [("no-store", 299, 301), ("max-age=0", 299, 301), ("max-age=999999999", 80_000, 86_401)],
)
async def test_no_certificate_is_kept_for_ever_and_none_fetched_all_the_time(
    google: Google, tokens: PushTokens, clock: Clock, age: str, shortest: float, longest: float
) -> None:
    google.on(CERTS, publish("k1", age=age))
    for seconds, fetched in ((0, 1), (shortest, 1), (longest - shortest, 2)):
        clock.now += seconds
        assert await is_let_in(tokens, make_token())
        assert google.count(CERTS) == fetched


async def test_flood_of_unknown_keys_causes_one_fetch_a_minute(
    google: Google, tokens: PushTokens, clock: Clock
) -> None:
    assert await is_let_in(tokens, make_token())
    flood = [make_token("stranger", kid=f"forged-{number}") for number in range(50)]
    for minute in range(3):
        clock.now += 61
        assert not any(await asyncio.gather(*(is_let_in(tokens, token) for token in flood)))
        assert google.count(CERTS) == minute + 2
    clock.now += 59
    assert not await is_let_in(tokens, flood[0])
    assert google.count(CERTS) == 4
    assert await is_let_in(tokens, make_token()), "genuine ones pass meanwhile"


async def test_new_key_of_google_is_let_in_and_an_old_one_no_longer(
    google: Google, tokens: PushTokens, clock: Clock
) -> None:
    assert await is_let_in(tokens, make_token())
    google.on(CERTS, publish("k2", "k3"))
    clock.now += 61
    assert await is_let_in(tokens, make_token("k3"))
    assert not await is_let_in(tokens, make_token())


@pytest.mark.parametrize(
    "outage",
    [say(500), HANG_UP, say(200, b"<html>"), say(200, {"keys": []}), say(200, []), say(302, None, "Location: /")],
)
async def test_outage_at_google_keeps_the_known_certificates(
    google: Google, tokens: PushTokens, clock: Clock, outage: Reply
) -> None:
    assert await is_let_in(tokens, make_token())
    google.on(CERTS, outage)
    clock.now += 100_000
    assert await is_let_in(tokens, make_token())
    assert await is_let_in(tokens, make_token())
    assert google.count(CERTS) == 2, "and is not asked again at once"
    google.on(CERTS, publish("k2"))
    clock.now += 61
    assert await is_let_in(tokens, make_token("k2"))
    assert not await is_let_in(tokens, make_token())


async def test_outage_from_the_start_refuses_and_is_over_by_itself(
    google: Google, tokens: PushTokens, clock: Clock
) -> None:
    google.on(CERTS, HANG_UP, publish("k1"))
    assert not await is_let_in(tokens, make_token())
    clock.now += 61
    assert await is_let_in(tokens, make_token())


async def test_who_hangs_up_takes_the_certificates_from_nobody_else(google: Google, tokens: PushTokens) -> None:
    gone, waiting = (asyncio.create_task(is_let_in(tokens, make_token())) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await waiting
    assert google.count(CERTS) == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"kty": "oct", "k": "AAAA", "kid": "k9"}, make_jwk("k9", kid=None), make_jwk("k9", n="!"), make_jwk("k9", n=5),
        {"kty": "RSA", "kid": "k9"}, "k9", None,
    ],
)  # fmt: skip
async def test_certificate_that_cannot_be_read_spoils_no_other(
    google: Google, tokens: PushTokens, broken: object
) -> None:
    google.on(CERTS, say(200, {"keys": [broken, make_jwk("k1")]}))
    assert await is_let_in(tokens, make_token())
    assert not await is_let_in(tokens, make_token("k9"))


async def test_key_that_is_too_short_is_not_trusted(google: Google, tokens: PushTokens) -> None:
    short = jwt.algorithms.RSAAlgorithm.to_jwk(make_key("short", 1024).public_key(), as_dict=True)
    google.on(CERTS, say(200, {"keys": [short | {"kid": "short"}, make_jwk("k1")]}))
    assert not await is_let_in(tokens, make_token("short"))
    assert await is_let_in(tokens, make_token())
