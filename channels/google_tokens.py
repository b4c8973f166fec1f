"""Whether a push is Google's: the token it carries, and the certificates that vouch for it."""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import httpx2
import jwt

from channels.base import InvalidSignature

log = logging.getLogger(__name__)

ISSUERS = ("accounts.google.com", "https://accounts.google.com")
ALGORITHM = "RS256"
CLOCK_SKEW = 60  # seconds between Google's clock and ours
MAX_TOKEN = 4096  # characters; Google's have about 800
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:[\s,]|$)")
TIMEOUT = httpx2.Timeout(5)  # seconds, each
PAUSE = 60.0  # seconds between fetches: forged tokens and an outage at Google cost one a minute
SHORTEST_LIFE, LONGEST_LIFE = 300.0, 86_400.0  # seconds
MAX_CERTIFICATES = 20  # Google publishes two or three
SMALLEST_KEY = 2048  # bits


class Certificates:
    """Google's public keys by id: fetched when they are needed and old, one fetch for all who wait."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self.url = url
        self.clock = clock
        self.keys: dict[str, jwt.PyJWK] = {}
        self.good_until = self.next_fetch = clock()
        self.fetching: asyncio.Task[None] | None = None

    async def find_key(self, key_id: str) -> jwt.PyJWK | None:
        """The key with this id; the one known so far when Google cannot be asked."""
        if key_id not in self.keys or self.clock() >= self.good_until:
            await self.refresh()
        return self.keys.get(key_id)

    async def refresh(self) -> None:
        """Wait for a fetch that is under way, or begin one unless the last began less than a minute ago."""
        if self.fetching is None or self.fetching.done():
            if self.clock() < self.next_fetch:
                return
            self.next_fetch = self.clock() + PAUSE
            self.fetching = asyncio.create_task(self.fetch())
        await asyncio.shield(self.fetching)  # whoever hangs up takes the answer from nobody else

    async def fetch(self) -> None:
        try:
            keys, life = await asyncio.to_thread(fetch_keys, self.url)  # its TLS set-up would hold up the loop
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            log.warning("google's certificates cannot be fetched", extra={"reason": type(error).__name__})
            return
        self.keys, self.good_until = keys, self.clock() + life


def fetch_keys(url: str) -> tuple[dict[str, jwt.PyJWK], float]:
    """Google's keys by id, and for how many seconds they may be kept. ValueError where there are none."""
    answer = httpx2.get(url, timeout=TIMEOUT, follow_redirects=False)
    answer.raise_for_status()
    keys = read_keys(answer.json())
    if not keys:
        raise ValueError("no keys")
    named = MAX_AGE.search(answer.headers.get("cache-control", "").lower())
    return keys, min(max(float(named[1]) if named else 0.0, SHORTEST_LIFE), LONGEST_LIFE)


def read_keys(content: Any) -> dict[str, jwt.PyJWK]:
    """The RSA keys of a key set that are long enough; what cannot be read is left out."""
    listed = content.get("keys") if isinstance(content, dict) else None
    keys: dict[str, jwt.PyJWK] = {}
    for entry in listed[:MAX_CERTIFICATES] if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or entry.get("kty") != "RSA" or not is_key_id(entry.get("kid")):
            continue
        try:
            key = jwt.PyJWK.from_dict(entry, algorithm=ALGORITHM)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if key.key.key_size >= SMALLEST_KEY:
            keys[entry["kid"]] = key
    return keys


def is_key_id(key_id: object) -> bool:
    return isinstance(key_id, str) and KEY_ID.fullmatch(key_id) is not None


class PushTokens:
    """Checks the token of every push, in every environment."""

    def __init__(
        self, audience: str, service_account: str, certs_url: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.audience = audience
        self.service_account = service_account
        self.certificates = Certificates(certs_url, clock)

    async def check(self, authorization_header: str) -> None:
        """Raises InvalidSignature unless the header bears a token of Google's, for us, from our service account.

        What the token says is checked before its key is looked for, so that only one that knows what to say can cause
        a fetch. All of it takes 0.15 ms, too little for a thread.
        """
        token = read_bearer(authorization_header)
        key_id = read_key_id(token)
        self.check_claims(read_claims(token, None, self.audience))
        key = await self.certificates.find_key(key_id)
        if key is None:
            raise InvalidSignature("no certificate for this key")
        self.check_claims(read_claims(token, key, self.audience))

    def check_claims(self, claims: dict[str, Any]) -> None:
        if claims.get("email") != self.service_account:
            raise InvalidSignature("service account")
        if claims.get("email_verified") is not True:
            raise InvalidSignature("email not verified")


def read_bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token or not token.isascii() or len(token) > MAX_TOKEN:
        raise InvalidSignature("no token")
    return token.strip()


def read_key_id(token: str) -> str:
    """The id of the key that a token says it is signed with."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as error:
        raise InvalidSignature(type(error).__name__) from None
    if header.get("alg") != ALGORITHM:
        raise InvalidSignature("algorithm")
    if not is_key_id(header.get("kid")):
        raise InvalidSignature("no key id")
    return str(header["kid"])


def read_claims(token: str, key: jwt.PyJWK | None, audience: str) -> dict[str, Any]:
    """What a token says, when issuer, audience and times are right; without a key its signature is left open."""
    try:
        return jwt.decode(
            token,
            key or "",
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=ISSUERS,
            leeway=CLOCK_SKEW,
            options={
                "require": ["iss", "aud", "exp", "iat"],
                "verify_signature": key is not None,
                "verify_iss": True,
                "verify_aud": True,
                "strict_aud": True,  # a list of audiences is for somebody else too
                "verify_exp": True,
                "verify_iat": True,
                "verify_nbf": True,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:  # the library's ways to say no
        raise InvalidSignature(type(error).__name__) from None
