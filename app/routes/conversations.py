"""A conversation with everything that led to it, for the team."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from starlette.responses import Response

from app.access import load_actor, staff
from app.bodies import read_id
from app.rendering import JsonResponse, prefers_html
from app.state import DeskRequest
from app.thread_page import load_view, show_page
from db.attachments import ShownFile, list_conversation_files
from db.audit import note_view
from db.conversations import (
    Message,
    Step,
    Turn,
    group_steps,
    list_messages,
    list_queued,
    list_steps,
    list_tickets,
    list_turns,
    load_conversation,
)
from db.customers import find_customer_by_id, list_identifiers
from db.pool import Connection, acquire

FILE_FIELDS = ("id", "type", "size", "text", "error")


async def show_conversation(request: DeskRequest) -> Response:
    """GET /conversations/{id}: JSON, or the page."""
    conversation_id = read_id(request)
    if prefers_html(request):
        return show_page(request, await load_view(request))
    async with acquire(request.state["pool"]) as conn:
        shown = await describe_conversation(conn, conversation_id)
        await note_view(conn, load_actor(request), f"conversation:{conversation_id}")
    return JsonResponse(shown, headers={"Vary": "Accept"})


async def describe_conversation(conn: Connection, conversation_id: UUID) -> dict[str, Any]:
    """The customer, what was said, what waits, the tickets, and the turns with their steps. Raises NotFound."""
    conversation = await load_conversation(conn, conversation_id)
    turns = await list_turns(conn, conversation_id)
    steps = group_steps(await list_steps(conn, [turn.id for turn in turns]))
    files = await list_conversation_files(conn, conversation_id)
    costs = [turn.cost_usd for turn in turns if turn.cost_usd is not None]
    shown = asdict(conversation)
    shown.pop("customer_id")
    return shown | {
        "customer": await describe_customer(conn, conversation.customer_id),
        "messages": [describe_message(said, files) for said in await list_messages(conn, conversation_id)],
        "queued": await list_queued(conn, conversation.lane),
        "tickets": await list_tickets(conn, conversation_id),
        "turns": [describe_turn(turn, steps.get(turn.id, [])) for turn in turns],
        "cost_usd": float(sum(costs)) if costs else None,
    }


def describe_message(message: Message, files: list[ShownFile]) -> dict[str, Any]:
    """A message with its files, which GET /attachments/{id} gives out unless they have an error or are too old."""
    own = [asdict(file) for file in files if file.message_id == message.id]
    return asdict(message) | {"attachments": [{name: file[name] for name in FILE_FIELDS} for file in own]}


async def describe_customer(conn: Connection, customer_id: UUID | None) -> dict[str, Any] | None:
    customer = await find_customer_by_id(conn, customer_id) if customer_id else None
    if customer is None:
        return None
    return asdict(customer) | {"identifiers": await list_identifiers(conn, customer.id)}


def describe_turn(turn: Turn, steps: list[Step]) -> dict[str, Any]:
    """A turn with its steps; decimals become numbers, what is unknown stays null."""
    cost = None if turn.cost_usd is None else float(turn.cost_usd)
    return asdict(turn) | {"cost_usd": cost, "steps": [describe_step(step) for step in steps]}


def describe_step(step: Step) -> dict[str, Any]:
    """A step with its tool calls beside what they were answered, and whether a check refused them."""
    answers = {result.get("call_id"): result for result in step.results}
    calls = [
        {
            "name": item.get("name"),
            "arguments": item.get("arguments"),
            "output": answers.get(item.get("id"), {}).get("output"),
            "refused": bool(answers.get(item.get("id"), {}).get("refused")),
        }
        for item in step.items
        if item.get("type") == "tool_call"
    ]
    shown = asdict(step)
    for name in ("turn_id", "results"):
        shown.pop(name)
    return shown | {"tool_calls": calls, "cost_usd": None if step.cost_usd is None else float(step.cost_usd)}


ROUTES = [staff("/conversations/{id}", show_conversation)]
