"""From checked fields to what is stored, and from what became of it to an answer."""

import hashlib
import secrets

import orjson

from app.access import make_quota_key
from app.bodies import Fields
from app.forms import Form, InvalidInput, Submission, check, check_key
from app.problems import FieldError, Problem, too_many
from app.settings import Settings
from app.state import DeskRequest
from db.tickets import Intake, NewTicket

REUSED_KEY = "This was used before for another message. Send it again to go on."
CLOSED = "The form is closed at the moment. Nothing was stored."


def new_submission_id() -> str:
    return secrets.token_urlsafe(18)


def make_ticket(settings: Settings, form: Submission, *, key: str, ip_key: str, is_test: bool = False) -> NewTicket:
    """A checked form with the keys it is stored under."""
    submission_key = hashlib.sha256(f"submit:{key}".encode()).hexdigest()
    return NewTicket(
        **form.model_dump(),
        submission_key=submission_key,
        submission_hash=hashlib.sha256(orjson.dumps(form.model_dump(), option=orjson.OPT_SORT_KEYS)).hexdigest(),
        external_id=submission_key,
        ip_key=ip_key,
        address_key=make_quota_key(settings, "email", form.email),
        prefix=settings.ticket_prefix,
        is_test=is_test,
    )


def check_fields(form: type[Form], request: DeskRequest, fields: Fields) -> tuple[Form, str]:
    """The checked form and its idempotency key, a random one where none came. Raises the 422 Problem."""
    try:
        checked = check(form, fields.values)
        hidden = fields.values.get("submission_id") if fields.is_form else None
        return checked, check_key(request.headers.get("idempotency-key") or hidden) or new_submission_id()
    except InvalidInput as error:
        raise invalid(error.errors) from None


def invalid(errors: list[FieldError]) -> Problem:
    return Problem(422, "Some fields need another look.", errors)


def check_intake(intake: Intake, *, key_field: str) -> None:
    """Raises the Problem for a message that was not stored."""
    match intake.outcome:
        case "mismatch":
            raise invalid([FieldError(key_field, REUSED_KEY)])
        case "unknown_plan":
            raise invalid([FieldError("plan", f"Please choose one of {', '.join(intake.plans)}.")])
        case "limited":
            raise too_many(intake.retry_after_seconds or 1)
        case "off":
            raise Problem(503, CLOSED)
        case "missing":
            raise Problem(404)
