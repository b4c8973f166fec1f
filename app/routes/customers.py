"""Who is behind an address, for the team. Looking never creates anybody."""

from typing import Any

from starlette.responses import Response

from app.access import staff
from app.forms import check_email
from app.problems import FieldError, Problem
from app.rendering import JsonResponse
from app.state import DeskRequest
from channels.phone_numbers import read_number
from db.customers import IdentifierKind, find_customer, list_conversations, list_identifiers
from db.pool import acquire


async def look_up_customer(request: DeskRequest) -> Response:
    """GET /customers/lookup?email= or ?phone=."""
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
    return JsonResponse(body)


def read_address(request: DeskRequest) -> tuple[IdentifierKind, str]:
    """Which address is asked for, normalised. Raises the 422 Problem unless exactly one is given and well formed."""
    email, phone = request.query_params.get("email"), request.query_params.get("phone")
    if (email is None) == (phone is None):
        raise Problem(422, "Give either email or phone.", [FieldError("email", "Give either email or phone.")])
    if email is not None:
        try:
            return "email", check_email(email)
        except ValueError as error:
            raise Problem(422, str(error), [FieldError("email", str(error))]) from None
    number = read_number(phone or "")
    if number is None:
        message = "Please give an international number like +4930123456."
        raise Problem(422, message, [FieldError("phone", message)])
    return "phone", number


ROUTES = [staff("/customers/lookup", look_up_customer)]
