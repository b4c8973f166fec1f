"""What stands around the agent's replies on a channel, and whether its customers are asked: for managers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from starlette.responses import RedirectResponse, Response

from app.access import load_actor, staff
from app.bodies import Fields, read_fields
from app.forms import InvalidInput, SentForm, check, check_line, check_message, compose, count_ends, is_visible
from app.problems import FieldError, Problem
from app.rendering import JsonResponse, prefers_html, render_page
from app.state import DeskRequest
from channels.base import GREETING_WORDS, lay_out_reply
from db.channels import ChannelTexts, list_channel_texts, set_channel_texts
from db.pool import acquire

MAX_GREETING = 100  # characters, as below
MAX_SIGNATURE = 500
BLANK = re.compile(r"\{[^{}]*\}")
ANSWER = "This is where the answer stands."
HELLO = "Hello"  # the reply has the word of its own language
BY_NAME = {"Somebody called Ana Pérez reads": "Ana Pérez", "Whoever gave no name reads": None}


def check_greeting(text: str) -> str:
    """One line with nothing to fill in but what there is; or nothing."""
    unknown = [blank for blank in BLANK.findall(text) if blank not in GREETING_WORDS]
    if unknown:
        raise ValueError(f"There is no {unknown[0]}: a greeting may hold {' and '.join(GREETING_WORDS)}.")
    return check_line(text) if is_visible(text) else ""


def check_signature(text: str) -> str:
    """Lines with nothing to fill in; or nothing."""
    if blanks := BLANK.findall(text):
        raise ValueError(f"Nothing is filled in in a signature, {blanks[0]} neither.")
    return check_message(text) if is_visible(text) else ""


def read_box(value: object) -> bool:
    """A box of a page is `on` or not sent; a program says true or false."""
    if value not in ("on", True, False):
        raise ValueError("Please send true or false.")
    return bool(value)


class ChannelForm(SentForm):
    """What a manager sets of a channel."""

    channel: Annotated[str, Field(max_length=40)]
    greeting: Annotated[str, BeforeValidator(compose), Field(max_length=MAX_GREETING), AfterValidator(check_greeting)]
    signature: Annotated[
        str, BeforeValidator(count_ends), Field(max_length=MAX_SIGNATURE), AfterValidator(check_signature)
    ]
    asks_csat: Annotated[bool, BeforeValidator(read_box)]


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed about a channel and is not kept, and why that cannot be."""

    values: Mapping[str, Any]
    errors: tuple[FieldError, ...] = ()


async def show_channels(request: DeskRequest) -> Response:
    """GET /channels: JSON, or the page."""
    return await show(request)


async def show(request: DeskRequest, typed: Typed | None = None) -> Response:
    async with acquire(request.state["pool"]) as conn:
        known = await list_channel_texts(conn)
    if not prefers_html(request):
        return JsonResponse({"channels": known}, headers={"Vary": "Accept"})
    errors = typed.errors if typed else ()
    context = {
        "forms": [lay_out(one, typed) for one in known],
        "errors": errors,
        "wrong": {error.field for error in errors},
        "words": GREETING_WORDS,
        "max_greeting": MAX_GREETING,
        "max_signature": MAX_SIGNATURE,
        "here": "/channels",
    }
    return render_page(request, "channels.html", context, status=422 if errors else 200)


def lay_out(known: ChannelTexts, typed: Typed | None) -> dict[str, Any]:
    """The values of a channel's form and what a customer would read by them; what was typed stands where it was."""
    form = {name: getattr(known, name) for name in ("channel", "is_on", "greeting", "signature", "asks_csat")}
    if typed is None or typed.values.get("channel") != known.channel:
        is_bare = not (known.greeting or known.signature)
        return form | {"is_typed": False, "previews": {} if is_bare else preview(known.greeting, known.signature)}
    given = {name: typed.values.get(name, "") for name in ("greeting", "signature", "asks_csat")}
    shown = {} if typed.errors else preview(str(given["greeting"]), str(given["signature"]))
    return form | given | {"is_typed": True, "previews": shown}


def preview(greeting: str, signature: str) -> dict[str, str]:
    """A reply as customers read it, by who reads it."""
    greeting = greeting.replace("{hello}", HELLO)
    readers = BY_NAME if "{name}" in greeting else {"Customers read": None}
    return {
        who: lay_out_reply(ANSWER, greeting=greeting, signature=signature, customer_name=name)
        for who, name in readers.items()
    }


async def keep(request: DeskRequest) -> Response:
    """POST /channels: `greeting`, `signature` and `asks_csat` of a `channel`, from the next message on."""
    fields = await read_fields(request)
    try:
        form = read_form(fields)
    except InvalidInput as error:
        return await refuse(request, fields, tuple(error.errors))
    async with acquire(request.state["pool"]) as conn:
        outcome = await set_channel_texts(
            conn, form.channel, greeting=form.greeting, signature=form.signature, asks_csat=form.asks_csat,
            who=load_actor(request),
        )  # fmt: skip
    if outcome == "missing":
        raise Problem(404)
    return RedirectResponse("/channels", 303) if fields.is_form else JsonResponse({"outcome": outcome})


async def try_out(request: DeskRequest) -> Response:
    """POST /channels/preview: the same fields; nothing is kept."""
    fields = await read_fields(request)
    try:
        form = read_form(fields)
    except InvalidInput as error:
        return await refuse(request, fields, tuple(error.errors))
    if fields.is_form and prefers_html(request):
        return await show(request, Typed(form.model_dump()))
    return JsonResponse({"previews": preview(form.greeting, form.signature)})


def read_form(fields: Fields) -> ChannelForm:
    """A page says nothing of a box that is not ticked. Raises InvalidInput."""
    unticked = {"asks_csat": False} if fields.is_form else {}
    return check(ChannelForm, unticked | fields.values)


async def refuse(request: DeskRequest, fields: Fields, errors: tuple[FieldError, ...]) -> Response:
    """The page with what was typed and what is wrong with it. Raises the 422 Problem for programs."""
    if not (fields.is_form and prefers_html(request)):
        raise Problem(422, errors=list(errors))
    return await show(request, Typed(fields.values, errors))


ROUTES = [
    staff("/channels", show_channels, role="manager"),
    staff("/channels", keep, ("POST",), role="manager"),
    staff("/channels/preview", try_out, ("POST",), role="manager"),
]
