"""What customers may send, and what they are told when it cannot be taken."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.problems import FieldError

Category = Literal["billing", "technical", "account", "security", "legal", "feedback", "general"]

Mood = Literal["positive", "neutral", "negative", "angry"]
Reason = Literal[
    "none", "human_wanted", "billing_dispute", "legal", "security", "account_deletion", "safety", "data_loss", "outage",
    "churn_risk", "anger", "repeated_failure",
]  # fmt: skip

MAX_NAME = 200  # characters, as all below
MAX_EMAIL = 254
MAX_SUBJECT = 200
MAX_MESSAGE = 10_000
MAX_KEY = 200
MAX_TAGS = 400

LOCAL_PART = re.compile(r"[^\s\"(),:;<>@\[\\\]]{1,64}")
DOMAIN_LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?")
KEY = re.compile(rf"[!-~]{{1,{MAX_KEY}}}")

Form = TypeVar("Form", bound=BaseModel)


def compose(value: object) -> object:
    """Composed characters (NFC), before lengths are counted: composing can make a text longer."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def check_line(text: str) -> str:
    """One line that a person can see."""
    text = text.strip()
    if not is_visible(text):
        raise ValueError("Please fill this in.")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text):
        raise ValueError("Please use one line without control characters.")
    return text


def check_message(text: str) -> str:
    """Lines that a person can see; line ends become newlines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not is_visible(text):
        raise ValueError("Please fill this in.")
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" for letter in text):
        raise ValueError("Please remove the control characters.")
    return text


def is_visible(text: str) -> bool:
    return any(unicodedata.category(letter)[0] not in "CZ" for letter in text)


def check_email(text: str) -> str:
    """A lower-case address that could exist; whether it does is not asked."""
    text = check_line(text).lower()
    local, _, domain = text.rpartition("@")
    labels = domain.split(".")
    is_local = bool(LOCAL_PART.fullmatch(local)) and not local.startswith(".") and not local.endswith(".")
    is_domain = len(labels) > 1 and all(DOMAIN_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
    if not is_local or ".." in local or not is_domain:
        raise ValueError("Please enter an address like name@example.com.")
    return text


def drop_blank(value: object) -> object:
    """A form sends an unchosen field as an empty text."""
    return None if isinstance(value, str) and not value.strip() else value


def count_ends(value: object) -> object:
    """A browser counts a line end as one character and sends two."""
    return unicodedata.normalize("NFC", value).replace("\r\n", "\n") if isinstance(value, str) else value


def read_count(value: object) -> object:
    """A whole number, of a form as text."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,400}\s*", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("Please send a whole number.")
    if value >= 1_000_000_000:
        raise ValueError("Please send a smaller number.")
    return value


def check_range(number: int, least: int, most: int) -> int:
    if not least <= number <= most:
        raise ValueError(f"Please send a number between {least} and {most:,}.")
    return number


def read_uuid(value: object) -> object:
    if value is None:
        return None
    try:
        return UUID(str(value))
    except ValueError:
        raise ValueError("Please send an id.") from None


def read_tags(value: object) -> list[str]:
    """Words with commas between them, each once, in lower case."""
    if not isinstance(value, str):
        raise ValueError("Please send text.")
    if len(value) > MAX_TAGS:
        raise ValueError(f"Please use at most {MAX_TAGS} characters.")
    words = [" ".join(word.split()).lower() for word in unicodedata.normalize("NFC", value).split(",")]
    return list(dict.fromkeys(word for word in words if is_visible(word)))


Count = Annotated[int, BeforeValidator(read_count)]
Message = Annotated[str, Field(max_length=MAX_MESSAGE), BeforeValidator(count_ends), AfterValidator(check_message)]
Email = Annotated[str, BeforeValidator(compose), Field(max_length=MAX_EMAIL), AfterValidator(check_email)]
Plan = Annotated[str, Field(max_length=40), AfterValidator(check_line)]
CannedLine = Annotated[str, BeforeValidator(compose), Field(max_length=80), AfterValidator(check_line)]


class SentForm(BaseModel):
    """What was sent: fields that nobody knows are left out, and what was typed stands in no error of the log."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Submission(SentForm):
    """The web form."""

    name: Annotated[str, BeforeValidator(compose), Field(max_length=MAX_NAME), AfterValidator(check_line)]
    email: Email
    subject: Annotated[str, BeforeValidator(compose), Field(max_length=MAX_SUBJECT), AfterValidator(check_line)]
    message: Message
    category: Annotated[Category | None, BeforeValidator(drop_blank)] = None
    plan: Annotated[Plan | None, BeforeValidator(drop_blank)] = None


class FollowUp(SentForm):
    """What a customer adds to a ticket."""

    message: Message


class Correction(SentForm):
    """What a customer's last message should have been taken for. Reason `none`: the agent may answer it."""

    category: Category
    sentiment: Mood
    reason: Reason


class PersonAnswer(FollowUp):
    """What somebody of the team answers."""

    seen: Annotated[Count | None, BeforeValidator(drop_blank)] = None
    """How many messages there were when they wrote; None: nobody counted."""
    draft: Annotated[UUID | None, BeforeValidator(read_uuid), BeforeValidator(drop_blank)] = None
    """The draft it was made from; None: it is their own."""


class Note(FollowUp):
    """What the team tells itself."""


class Undo(SentForm):
    """Which answer is not to be sent."""

    reply: Annotated[UUID, BeforeValidator(read_uuid)]


class Rejection(SentForm):
    """Which draft is not to be sent."""

    draft: Annotated[UUID, BeforeValidator(read_uuid)]


class Autonomy(SentForm):
    """How much the agent may do alone in a category of a channel."""

    channel: Annotated[str, Field(max_length=40), AfterValidator(check_line)]
    category: Category
    mode: Literal["off", "draft", "auto"]


class Canned(FollowUp):
    """A canned reply; `was`: the name of the one it takes the place of, None: it is a new one."""

    name: CannedLine
    was: Annotated[CannedLine | None, BeforeValidator(drop_blank)] = None


class CannedName(SentForm):
    """Which canned reply."""

    name: Annotated[str, Field(max_length=80)]


class Assignment(SentForm):
    """Whose a ticket is; None: nobody's."""

    assignee: Annotated[Email | None, BeforeValidator(drop_blank)] = None


class Seen(SentForm):
    """What somebody had before them when they decided."""

    seen: Annotated[Count | None, BeforeValidator(drop_blank)] = None
    """How many messages there were; None: nobody counted."""


class Snooze(Seen):
    """For how many hours nobody is shown it; 0: back into the list."""

    hours: Annotated[Count, AfterValidator(lambda hours: check_range(hours, 0, 2_160))]


class Sorting(SentForm):
    """What a ticket is about and how much it matters; tags as one text with commas."""

    category: Category
    priority: Annotated[Count, AfterValidator(lambda priority: check_range(priority, 1, 10))]
    tags: Annotated[list[str], BeforeValidator(read_tags)] = []


class SelfTest(SentForm):
    """What POST /test/queue takes; everything has a default."""

    message: Message = "How do I reset my password?"
    timeout_seconds: Annotated[float, Field(ge=0.1, le=60, allow_inf_nan=False, strict=True)] = 20


class InvalidInput(Exception):
    """Fields that cannot be taken, each with the reason in words."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(f"{len(errors)} fields")
        self.errors = errors


def check(form: type[Form], values: Mapping[str, Any]) -> Form:
    """The values as this form. Raises InvalidInput with every mistake, one per field."""
    try:
        return form.model_validate(dict(values))
    except ValidationError as error:
        found: dict[str, str] = {}
        for mistake in error.errors(include_input=False, include_url=False):
            found.setdefault(str(mistake["loc"][0]), explain(mistake["type"], mistake.get("ctx", {})))
        raise InvalidInput([FieldError(name, message) for name, message in found.items()]) from None


def explain(kind: str, limits: Mapping[str, Any]) -> str:
    """A mistake in words that do not repeat what was typed."""
    match kind:
        case "value_error":
            return str(limits["error"])
        case "missing":
            return "Please fill this in."
        case "string_too_long" | "too_long":  # the second one where a validator comes before the length
            return f"Please use at most {limits['max_length']:,} characters."
        case "literal_error":
            return f"Please choose one of {limits['expected']}."
        case "string_type":
            return "Please send text."
        case "string_unicode":
            return "The text is not valid Unicode."
        case "float_type" | "finite_number":
            return "Please send a number."
        case "greater_than_equal":
            return f"Please send a number of at least {limits['ge']:g}."
        case "less_than_equal":
            return f"Please send a number of at most {limits['le']:g}."
        case _:
            return "This cannot be taken as it is. Please look at it again."


def check_key(key: str | None) -> str | None:
    """An Idempotency-Key as given, None when there is none. Raises InvalidInput."""
    if not key:
        return None
    if not KEY.fullmatch(key):
        raise InvalidInput([FieldError("Idempotency-Key", f"Please use up to {MAX_KEY} visible ASCII characters.")])
    return key
