"""What the team may send about itself: names, passwords, invitations and keys."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from app.forms import MAX_NAME, Email, InvalidInput, SentForm, check, check_line, compose
from app.passwords import MAX_LENGTH, check_password
from app.problems import FieldError
from db.people import Role
from db.sessions import Scope

MAX_DAYS = 365
SCOPES: tuple[Scope, ...] = ("read", "write", "manage")


def read_days(value: object) -> int:
    """A form sends digits, a program a number."""
    text = str(value).strip() if not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_DAYS):
        raise ValueError(f"Please choose 1 to {MAX_DAYS} days.")
    return int(text)


def read_scopes(value: object) -> list[str]:
    """Each once, in our order."""
    given = value if isinstance(value, list) else []
    if not given or any(scope not in SCOPES for scope in given):
        raise ValueError("Please choose at least one of read, write and manage.")
    return [scope for scope in SCOPES if scope in given]


Name = Annotated[str, BeforeValidator(compose), Field(max_length=MAX_NAME), AfterValidator(check_line)]


class NewInvitation(SentForm):
    """Who is to join, and as what."""

    email: Email
    role: Role = "agent"


class WithdrawnInvitation(SentForm):
    """Whose link is to stop working."""

    email: Email


class NewRole(SentForm):
    """What somebody is to be."""

    role: Role


class NewName(SentForm):
    """How somebody is called."""

    name: Name


class NewPassword(SentForm):
    """A password to be; who it is for must still be asked: see check_new_password."""

    password: str


class PasswordProof(SentForm):
    """The password somebody has."""

    current: Annotated[str, Field(max_length=MAX_LENGTH)]


class Keyring(SentForm):
    """A key to be."""

    name: Name
    scopes: Annotated[list[Scope], BeforeValidator(read_scopes)]
    days: Annotated[int, BeforeValidator(read_days)] = 90


def check_new_password(values: Mapping[str, Any], *, email: str, company: str) -> str:
    """The password of a form. Raises InvalidInput when others would guess it."""
    form = check(NewPassword, values)
    try:
        return check_password(form.password, email=email, company=company)
    except ValueError as error:
        raise InvalidInput([FieldError("password", str(error))]) from None


def gather_scopes(values: Mapping[str, Any]) -> dict[str, Any]:
    """A page sends each scope as a box of its own."""
    return {"scopes": [scope for scope in SCOPES if values.get(scope)], **values}
