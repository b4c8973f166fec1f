"""What a request carries: the id in its path, and fields as JSON or a form, within limits, in UTF-8 or not at all."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from starlette.requests import Request

from app.problems import Problem

CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\"';\s]*)", re.IGNORECASE)
MAX_FIELDS = 50
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a request; `is_form` when a page sent them."""

    values: dict[str, Any]
    is_form: bool


def read_id(request: Request[Any]) -> UUID:
    """The `id` of the path. Raises the 404 Problem for what is none."""
    return parse_id(request.path_params["id"])


def parse_id(text: str) -> UUID:
    """Raises the 404 Problem for what is no id."""
    try:
        return UUID(text)
    except ValueError:
        raise Problem(404) from None


async def read_any_fields(request: Request[Any]) -> Fields:
    """As read_fields; none of a request without a body."""
    if not (read_kind(request) or await request.body()):
        return Fields({}, is_form=False)
    return await read_fields(request)


async def read_fields(request: Request[Any]) -> Fields:
    """The fields of a JSON object or a form. Raises Problem: 400, 413 or 415."""
    kind = read_kind(request)
    check_charset(request)
    try:
        match kind:
            case "application/json":
                return Fields(parse_json(await request.body()), is_form=False)
            case "application/x-www-form-urlencoded":
                return Fields(parse_form((await request.body()).decode()), is_form=True)
            case "multipart/form-data":
                (await request.body()).decode()  # the parser itself would fall back to Latin-1
                return Fields(await parse_multipart(request), is_form=True)
    except UnicodeDecodeError:
        raise Problem(400, "The text is not UTF-8.") from None
    raise Problem(415)


def check_charset(request: Request[Any]) -> None:
    """Raises the 415 Problem for anything that says it is not UTF-8."""
    named = CHARSET.search(request.headers.get("content-type", ""))
    if named and named.group(1).lower() not in ("utf-8", "utf8", "us-ascii"):
        raise Problem(415, "Please send UTF-8.")


def read_kind(request: Request[Any]) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_form(request: Request[Any]) -> bool:
    """Whether a page's form was sent, by its content type."""
    return read_kind(request) in FORM_TYPES


def parse_json(body: bytes) -> dict[str, Any]:
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Problem(400, "The body is not valid JSON in UTF-8.") from None
    if not isinstance(values, dict):
        raise Problem(400, "The body must be a JSON object.")
    return values


def parse_form(text: str) -> dict[str, Any]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"))
    except UnicodeDecodeError:
        raise
    except ValueError:
        raise Problem(400, f"A form has at most {MAX_FIELDS} fields.") from None


async def parse_multipart(request: Request[Any]) -> dict[str, Any]:
    """The fields of a multipart form; files are refused."""
    async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
        return {name: value for name, value in form.multi_items() if isinstance(value, str)}
