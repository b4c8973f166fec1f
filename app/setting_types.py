"""What a setting may look like: addresses, times and sums of money, each with a complaint in words."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr


def check_database_url(url: object) -> object:
    if not isinstance(url, str):
        return url
    if not url.startswith(("postgres://", "postgresql://")):
        raise ValueError("must begin with postgres:// or postgresql://")
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname or "host=" in parts.query) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError("cannot be read; special characters in the password must be percent-encoded")
    return url


def check_web_url(url: object) -> object:
    if not isinstance(url, str):
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with http:// or https://")
    try:
        is_whole = parts.port is None or parts.port > 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError("must have a port between 1 and 65535, or none")
    return url.rstrip("/")


def upper_text(text: object) -> object:
    return text.upper() if isinstance(text, str) else text


def lower_text(text: object) -> object:
    return text.lower() if isinstance(text, str) else text


DatabaseUrl = Annotated[SecretStr, BeforeValidator(check_database_url)]
WebUrl = Annotated[str, BeforeValidator(check_web_url)]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Dollars = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Price = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(/\d+(\.\d+)?){1,3}$")]
"""US dollars for a million tokens: input/output, then perhaps cached input, and input written to the cache."""
