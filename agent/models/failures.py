"""From what a provider says when it fails to the one word the turn acts on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from agent.models.base import ModelFailure

LONGEST_WAIT = timedelta(days=1)
NAME = re.compile(r"[a-z][a-z0-9_.\[\]]{1,63}")

BY_CODE = {
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "context_length_exceeded": "context_too_long",
    "exceed_context_size_error": "context_too_long",
    "content_filter": "refused",
    "content_policy_violation": "refused",
    "invalid_prompt": "refused",
}
BY_CODE_IN_A_200 = {
    "rate_limit_exceeded": "rate_limited",
    "server_error": "unavailable",
    "overloaded": "unavailable",
    "invalid_api_key": "unauthorised",
    "model_not_found": "unauthorised",
}
BY_STATUS = {
    401: "unauthorised",
    402: "quota",
    403: "unauthorised",
    404: "unauthorised",
    408: "unavailable",
    409: "unavailable",
    413: "context_too_long",
    429: "rate_limited",
}
OUT_OF_CREDIT = re.compile(r"exceeded your current quota|insufficient (?:credits|balance|quota)", re.IGNORECASE)
TOO_LONG = re.compile(
    r"(?:maximum|available|exceeds?.{0,40}) context|context (?:length|window|size)|context_length"
    r"|prompt is too long|reduce the length|too many (?:input )?tokens",
    re.IGNORECASE,
)
FLAGGED = re.compile(r"flagged|moderation|content policy|usage policy", re.IGNORECASE)
TRY_AGAIN = re.compile(
    r"try again in (?:(?P<h>\d{1,4})h)?(?:(?P<m>\d{1,6})m(?!s))?"
    r"(?:(?P<s>\d{1,8}(?:\.\d+)?)s)?(?:(?P<ms>\d{1,9}(?:\.\d+)?)ms)?"
)


@dataclass(frozen=True, slots=True)
class ProviderError:
    """A refusal as it came: the HTTP status, the error object of the body, the headers in lower case."""

    status: int
    body: object
    """The value of `error` in the body, or the body itself."""
    text: str
    """What there is to read where `body` has no message."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:
        return self.body if isinstance(self.body, dict) else {}

    @property
    def message(self) -> str:
        return str(self.fields.get("message") or self.text)

    @property
    def param(self) -> str:
        return str(self.fields.get("param") or "")


def to_failure(error: ProviderError) -> ModelFailure:
    """The failure a provider's answer amounts to, with the wait it asked for."""
    code = name_failure(error)
    failure = ModelFailure(code, describe_refusal(error), retry_after=find_retry_after(error))
    failure.blames_request = code == "malformed" and 400 <= error.status < 500
    return failure


def describe_refusal(error: ProviderError) -> str:
    """The status and what the provider calls it. Its sentences may repeat a customer, or our key."""
    names = [str(error.fields.get(name)) for name in ("code", "type", "param")]
    return " ".join([str(error.status), *dict.fromkeys(name for name in names if NAME.fullmatch(name))])


def name_failure(error: ProviderError) -> str:
    codes = {str(error.fields.get("code")), str(error.fields.get("type"))}
    known = next((BY_CODE[code] for code in sorted(codes) if code in BY_CODE), None)
    if known is not None:
        return known
    if error.status == 429 and OUT_OF_CREDIT.search(error.message):
        return "quota"
    if error.status in (200, 400, 422) and TOO_LONG.search(error.message):
        return "context_too_long"
    # A customer whose words are flagged must not look like a bad key, which would stop everybody's turns.
    if error.status in (400, 403) and FLAGGED.search(error.message):
        return "refused"
    if error.status == 200:
        return next((BY_CODE_IN_A_200[code] for code in sorted(codes) if code in BY_CODE_IN_A_200), "malformed")
    return BY_STATUS.get(error.status, "unavailable" if error.status >= 500 else "malformed")


def read_error_body(status: int, body: object) -> ProviderError:
    """An error inside a 200. A numeric `code` in it is the status the provider means (OpenRouter)."""
    code = body.get("code") if isinstance(body, dict) else None
    meant = code if isinstance(code, int) and 400 <= code < 600 else status
    return ProviderError(meant, body, str(body))


def find_retry_after(error: ProviderError) -> timedelta | None:
    """The wait the provider asked for, at most a day: `retry-after-ms`, `retry-after`, then the words of a 429."""
    milliseconds = read_number(error.headers.get("retry-after-ms"))
    if milliseconds is not None:
        return clamp_wait(milliseconds / 1000)
    header = error.headers.get("retry-after")
    seconds = read_number(header)
    if seconds is None and header is not None:
        seconds = seconds_until(header, error.headers.get("date"))
    if seconds is None and error.status == 429:
        seconds = read_wait(error.message)
    return None if seconds is None else clamp_wait(seconds)


def read_number(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"\s*\d{1,12}(?:\.\d+)?\s*", text) else None


def seconds_until(date: str, now: str | None) -> float | None:
    """Seconds to an HTTP date, by the provider's own clock where it sent one."""
    until, since = read_date(date), read_date(now)
    return None if until is None else (until - (since or datetime.now(UTC))).total_seconds()


def read_date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def read_wait(message: str) -> float | None:
    """Seconds of "try again in 1m5.289s", "... 320ms"; None where nothing of the kind is said."""
    found = TRY_AGAIN.search(message)
    if found is None or not any(found.groups()):
        return None
    hours, minutes, seconds, milliseconds = (float(found[unit] or 0) for unit in ("h", "m", "s", "ms"))
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def clamp_wait(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST_WAIT.total_seconds()))
