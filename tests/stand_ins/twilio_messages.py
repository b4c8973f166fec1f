"""Twilio's messages: what it says about a form, and how it shows what it took."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.stand_ins.journal import OUTSIDE_WINDOW, Accepted, Knobs, Send, is_outside_window
from tests.stand_ins.webhooks import ACCOUNT

MESSAGES = "/2010-04-01/Accounts/{account}/Messages"
MAX_TEXT = 1600  # UTF-16 code units, of a body and of a variable
MAX_TEMPLATE = 1024  # the same, of a template with its variable


def find_problem(form: Mapping[str, str], knobs: Knobs) -> int | None:
    """Twilio's code for a message it cannot take."""
    if not form.get("To", "").startswith("whatsapp:+"):
        return 21211
    if not form.get("From", "").startswith("whatsapp:+"):
        return 21603
    if not form.get("Body") and not form.get("ContentSid"):
        return 21602
    if measure(form.get("Body", "")) > MAX_TEXT:
        return 21617
    return find_template_problem(form, knobs) or find_refusal(form, knobs)


def find_template_problem(form: Mapping[str, str], knobs: Knobs) -> int | None:
    """The same about the template it names; None where it names none."""
    if "ContentSid" not in form:
        return None
    if form["ContentSid"] not in knobs.templates:
        return 21655
    text = read_variable(form)
    if not text or any(bad in text for bad in ("\n", "\r", "\t", "     ")):
        return 21656
    if measure(text) > MAX_TEXT:
        return 21658
    return 63021 if measure(render(form, knobs)) > MAX_TEMPLATE else None


def find_refusal(form: Mapping[str, str], knobs: Knobs) -> int | None:
    """The same about who it is to."""
    to = form["To"].removeprefix("whatsapp:")
    if knobs.window_refuses_at_once and is_outside_window(read_form(form, knobs), knobs):
        return OUTSIDE_WINDOW
    return knobs.refused_to.get(to)


def measure(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def read_variable(form: Mapping[str, str]) -> str:
    """The value of {{1}}; an empty one where there is none."""
    try:
        variables = json.loads(form.get("ContentVariables", ""))
    except ValueError:
        return ""
    return str(variables.get("1", "")) if isinstance(variables, dict) else ""


def render(form: Mapping[str, str], knobs: Knobs) -> str:
    """The template as the customer reads it."""
    return knobs.templates[form["ContentSid"]].replace("{{1}}", read_variable(form))


def read_form(form: Mapping[str, str], knobs: Knobs) -> Send:
    callback, template = form.get("StatusCallback"), form.get("ContentSid")
    token = parse_qs(urlsplit(callback).query).get("o", [None])[0] if callback else None
    body = render(form, knobs) if template else form["Body"]
    return Send("twilio", form["To"], body, token, form["From"], status_callback=callback, template_sid=template)


def is_wanted(one: Accepted, wanted: Mapping[str, str]) -> bool:
    day = one.taken_at.date().isoformat()
    return (
        one.send.to == wanted.get("To", one.send.to)
        and one.send.sender == wanted.get("From", one.send.sender)
        and day == wanted.get("DateSent", day)[:10]
        and day <= wanted.get("DateSent<", day)[:10]
        and day >= wanted.get("DateSent>", day)[:10]
    )


def show_message(taken: Accepted) -> dict[str, Any]:
    """A message as Twilio's API shows it."""
    at = format_datetime(datetime.fromtimestamp(taken.at, UTC), usegmt=False)
    return {
        "sid": taken.id,
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": taken.send.body,
        "date_created": at,
        "date_sent": at,
        "date_updated": at,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": taken.send.sender,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": None,
        "status": "queued",
        "subresource_uris": {},
        "to": taken.send.to,
        "uri": f"{MESSAGES.format(account=ACCOUNT)}/{taken.id}.json",
    }
