"""One-time codes of an authenticator app: RFC 6238 with SHA-1, six digits, 30 seconds.

The database keeps a seed; the secret is made of it and APP_SECRET, so that a copy of the database makes no codes.
"""

import base64
import hmac
import re
import secrets
import time
from urllib.parse import quote, urlencode

from app.access import is_same, sign
from app.settings import Settings

STEP = 30  # seconds
DRIFT = 1  # steps that a clock may be off, either way
DIGITS = 6
SEED = re.compile(r"[0-9a-f]{32}")
CODE = re.compile(r"[0-9]{6}")


def new_seed() -> str:
    return secrets.token_hex(16)


def derive_secret(settings: Settings, seed: str) -> bytes:
    """The 160 bits that the app and we share."""
    return sign(settings, f"totp:{seed}")[:20]


def make_code(secret: bytes, step: int) -> str:
    """The code of a step: so many times 30 seconds since 1970."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def find_step(secret: bytes, given: str, now: float | None = None) -> int | None:
    """The step whose code this is, one before and one after now included; None for a wrong code. now: seconds."""
    code = re.sub(r"\s", "", given)
    current = int((time.time() if now is None else now) // STEP)
    steps = [step for step in range(current - DRIFT, current + DRIFT + 1) if is_same(make_code(secret, step), code)]
    return steps[-1] if steps and CODE.fullmatch(code) else None


def show_secret(secret: bytes) -> str:
    """As people type it: base32 in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def make_link(secret: bytes, *, email: str, company: str) -> str:
    """The otpauth:// address that an app opens."""
    query = urlencode({"secret": base64.b32encode(secret).decode(), "issuer": company}, quote_via=quote)
    return f"otpauth://totp/{quote(company)}:{quote(email)}?{query}"
