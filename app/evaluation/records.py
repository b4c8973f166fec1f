"""Tickets to be tried, one JSON object a line: what customers write, turn by turn, and what must be true afterwards."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from db.errors import DeskError

Channel = Literal["email", "whatsapp", "web"]
Category = Literal["billing", "technical", "account", "security", "legal", "feedback", "general"]


class UnreadableTickets(DeskError):
    """A file of tickets cannot be used: which line, which field, and what is wrong there."""


def make_list(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


def check_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return text


Pattern = Annotated[str, AfterValidator(check_pattern)]
Words = Annotated[list[str], BeforeValidator(make_list)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class State(Strict):
    """Rows at the end of the turn, counted over the whole ticket."""

    tickets: int | None = None
    ticket_status: Words | None = Field(default=None, alias="ticket.status")
    """Of the newest ticket of the conversation: any of these."""
    messages_out: int | None = None
    metrics: int | None = None


class Expect(Strict):
    """What must be true after a turn. What is left out is not checked."""

    reply: bool = True
    category: Annotated[list[Category], BeforeValidator(make_list)] | None = None
    sentiment: tuple[float, float] | None = None
    """Between which scores, -1 to +1. Reported, and fails nothing."""
    escalate: Literal["must", "likely", "must_not", "may"] = "may"
    team: Words | None = None
    reason: Words | None = None
    docs: list[Words] = []
    """Slugs: of each group one must be cited. Written down and empty: no article answers this."""
    facts: list[Annotated[list[Pattern], BeforeValidator(make_list)]] = []
    """Of each group one must be found in the reply, whatever its case."""
    forbidden: Annotated[list[Pattern], BeforeValidator(make_list)] = []
    lang: str | None = None
    max_chars: int | None = None
    state: State = State()
    tools_forbidden: Words = []

    @property
    def is_unanswerable(self) -> bool:
        return "docs" in self.model_fields_set and not self.docs


class Turn(Strict):
    """What the customer writes at one time."""

    raw: Annotated[list[str], BeforeValidator(make_list), Field(min_length=1)]
    """A mail as it came, or a text; several are a burst."""
    subject: str | None = None
    channel: Channel | None = None
    """Where this turn comes in; as the ticket where it is left out."""
    expect: Expect = Expect()


class Customer(Strict):
    """Who writes. The same `ref` is the same customer."""

    ref: str = "customer"
    plan: str | None = None
    name: str | None = None
    history: list[str] = []
    """Ids of tickets of the same file that they wrote before this one."""


class Ticket(Strict):
    """One ticket of the evaluation."""

    id: str
    group: Literal["A", "B", "C", "D", "E", "F", "G"]
    channel: Channel
    customer: Customer = Customer()
    lang: str = "en"
    subject: str | None = None
    sentiment: str | None = None
    note: str | None = None
    turns: list[Turn] = Field(min_length=1)


def read_tickets(path: Path) -> list[Ticket]:
    """The tickets of a file. Raises UnreadableTickets at the first mistake."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableTickets(f"{path} cannot be read: {error}") from error
    tickets: dict[str, Ticket] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        ticket = read_ticket(line, f"{path.name}, line {number}")
        if ticket.id in tickets:
            raise UnreadableTickets(f"{path.name}, line {number}, id: {ticket.id} was there before")
        tickets[ticket.id] = ticket
    if not tickets:
        raise UnreadableTickets(f"{path.name} holds no ticket")
    for ticket in tickets.values():
        for earlier in ticket.customer.history:
            if earlier not in tickets:
                raise UnreadableTickets(f"{path.name}, {ticket.id}, customer.history: there is no ticket {earlier}")
    return list(tickets.values())


def read_ticket(line: str, place: str) -> Ticket:
    try:
        return Ticket.model_validate_json(line)
    except ValidationError as error:
        raise UnreadableTickets(f"{place}, {explain(error)}") from None


def explain(error: ValidationError) -> str:
    """The first mistake: the field with its path, and what is wrong with it."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"]) or "the object"
    if first["type"] == "extra_forbidden":
        near = get_close_matches(str(first["loc"][-1]), list_fields(), n=1)
        return f"{path}: is not a field we know" + (f", did you mean {near[0]}?" if near else "")
    return f"{path}: {first['msg'][:1].lower()}{first['msg'][1:]}"


def list_fields() -> list[str]:
    models: tuple[type[BaseModel], ...] = (Ticket, Customer, Turn, Expect, State)
    fields: list[dict[str, Any]] = [dict(model.model_fields) for model in models]
    return sorted({field.alias or name for group in fields for name, field in group.items()})
