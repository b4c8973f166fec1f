"""Who is behind an address, for the team. Looking never creates anybody."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from app.access import load_actor, staff
from app.forms import check_email
from app.problems import FieldError, Problem
from app.rendering import JsonResponse
from app.state import DeskRequest
from channels.phone_numbers import read_number
from db.audit import note_view
from db.customers import IdentifierKind, find_customer, list_conversations, list_identifiers
from db.pool import acquire


async def look_up_customer(request: DeskRequest) -> Response:
    """GET /customers/lookup?email=, ?phone= or ?whatsapp=."""
    kind, value = read_address(request)
    async with acquire(request.state["pool"]) as conn:
        customer = await find_customer(conn, kind, value)
        if customer is None:
            raise Problem(404, "Nobody with this address has written to us.")
        body: dict[str, Any] = {
            "id": customer.id,
            "name": customer.name,
            "plan": customer.plan,
            "language": customer.language,
            "created_at": customer.created_at,
            "identifiers": await list_identifiers(conn, customer.id),
            "conversations": await list_conversations(conn, customer.id),
        }
        await note_view(conn, load_actor(request), f"customer:{customer.id}")
    return JsonResponse(body)


def read_address(request: DeskRequest) -> tuple[IdentifierKind, str]:
    """Which address is asked for, normalised. Raises the 422 Problem unless exactly one is given and well formed."""
    given = {name: request.query_params[name] for name in READERS if name in request.query_params}
    if len(given) != 1:
        raise Problem(422, ONE_OF, [FieldError("email", ONE_OF)])
    [(kind, text)] = given.items()
    try:
        return kind, READERS[kind](text)
    except ValueError as error:
        raise Problem(422, str(error), [FieldError(kind, str(error))]) from None


def check_number(text: str) -> str:
    number = read_number(text)
    if number is None:
        raise ValueError("Please give an international number like +4930123456.")
    return number


ONE_OF = "Give one of email, phone and whatsapp."
READERS: dict[IdentifierKind, Callable[[str], str]] = {
    "email": check_email,
    "phone": check_number,
    "whatsapp": str.strip,  # the id of somebody who shows no number there
}
ROUTES = [staff("/customers/lookup", look_up_customer)]
