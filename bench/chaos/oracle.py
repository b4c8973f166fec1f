"""The verdict: what the vendor accepted and what was acknowledged, never our own tables, decide what was lost.

Our tables only say which reply a token belongs to, what was flagged, and who waits for a person: they can convict a
run, and excuse a customer only where a person was told.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.chaos.plan import CustomerMessage
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Reply:
    """One message of ours as the log has it."""

    token: str
    customer: str
    place: tuple[Any, ...]
    """Grows along a customer's replies and their parts."""
    turn: str
    part: int
    is_flagged: bool
    delivery: str

    @property
    def is_sent(self) -> bool:
        return self.delivery in ("sent", "delivered", "read")


@dataclass(frozen=True, slots=True)
class Log:
    """What our tables say once all is quiet."""

    replies: dict[str, Reply]
    """By token."""
    stored: frozenset[str]
    """External ids of customers' messages."""
    with_person: frozenset[str]
    """Customers' numbers or tickets whose conversation a person has, or was called to."""
    waiting: frozenset[str]
    """Those in the view waiting_customers."""
    dead: int
    flagged: int


@dataclass(slots=True)
class Verdict:
    """Counts, and for each law the first few cases in words."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    """Not flagged."""
    doubled_flagged: int = 0
    out_of_order: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    """No reply after their last message, and a person was told."""
    refused: list[str] = field(default_factory=list)
    """Good messages that were answered with a 4xx."""

    def list_broken(self) -> list[str]:
        """One line per broken law, with examples."""
        laws = {
            "lost": self.lost,
            "doubled and not flagged": self.doubled,
            "out of order": self.out_of_order,
            "refused": self.refused,
        }
        return [f"{len(cases)} {name}: {'; '.join(cases[:5])}" for name, cases in laws.items() if cases]


async def read_log(conn: Connection) -> Log:
    """What our tables say."""
    rows = await conn.fetch(
        """
        select m.idempotency_token::text as token, c.thread_key, m.sent_at, m.id::text as id, m.part, m.parts,
               coalesce(m.turn_id::text, m.id::text) as turn, m.possible_duplicate, m.delivery
          from messages m join conversations c on c.id = m.conversation_id
         where m.direction = 'outbound' and m.idempotency_token is not null
        """
    )
    replies = [
        Reply(
            row["token"],
            row["thread_key"],
            (row["sent_at"], row["part"]),
            row["turn"],
            row["part"],
            row["possible_duplicate"],
            row["delivery"],
        )
        for row in rows
    ]
    stored = await conn.fetch("select external_id from messages where direction = 'inbound'")
    with_person = await conn.fetch(
        """
        select thread_key from conversations where handler = 'human'
         union select split_part(lane, ':', 2) from dead_letters
        """
    )
    waiting = await conn.fetch(
        "select c.thread_key from waiting_customers w join conversations c on c.id = w.conversation_id"
    )
    return Log(
        replies={reply.token: reply for reply in replies},
        stored=frozenset(row["external_id"] for row in stored),
        with_person=frozenset(row["thread_key"] for row in with_person),
        waiting=frozenset(row["thread_key"] for row in waiting),
        dead=await conn.fetchval("select count(*) from dead_letters"),
        flagged=sum(reply.is_flagged for reply in replies),
    )


def judge(
    sent: Sequence[CustomerMessage],
    refused: Sequence[tuple[int, CustomerMessage]],
    accepted: Sequence[Mapping[str, Any]],
    pages: Mapping[str, Sequence[Mapping[str, Any]]],
    log: Log,
) -> Verdict:
    """Hold the vendor's journal, and what the ticket pages show, against what was acknowledged.

    pages: by a form's key, the messages its page shows.
    """
    verdict = Verdict(refused=[f"{status} for {message.sid}" for status, message in refused])
    judge_chats([message for message in sent if not message.is_form and message.acked_at], accepted, log, verdict)
    judge_forms([message for message in sent if message.is_form and message.acked_at], pages, verdict)
    judge_tokens(accepted, log, verdict)
    judge_order(accepted, log, verdict)
    return verdict


def judge_chats(
    acked: Iterable[CustomerMessage], accepted: Iterable[Mapping[str, Any]], log: Log, verdict: Verdict
) -> None:
    """Every acknowledged message is in the log, and a reply came after the customer's last one."""
    told: dict[str, float] = defaultdict(float)
    for one in accepted:
        number = one["to"].removeprefix("whatsapp:")
        told[number] = max(told[number], one["at"])
    asked: dict[str, CustomerMessage] = {}
    for message in acked:
        if message.sid not in log.stored:
            verdict.lost.append(f"{message.sid} of {message.customer} was acknowledged and is in no log")
        last = asked.get(message.customer)
        if last is None or message.tried_at > last.tried_at:
            asked[message.customer] = message
    for number, message in asked.items():
        if told[number] > message.tried_at:
            continue
        if number in log.with_person or number in log.waiting:
            verdict.parked.append(number)
        else:
            verdict.lost.append(f"{number} waits since {message.sid} for a reply")


def judge_forms(
    acked: Iterable[CustomerMessage], pages: Mapping[str, Sequence[Mapping[str, Any]]], verdict: Verdict
) -> None:
    """Every acknowledged form has one answer on its page."""
    for message in acked:
        shown = pages.get(message.sid, ())
        replies = sum(one["direction"] == "outbound" for one in shown)
        if not any(one["direction"] == "inbound" for one in shown) or replies == 0:
            verdict.lost.append(f"form {message.sid} ({message.page}) has {replies} replies")
        if replies > 1:
            verdict.doubled.append(f"form {message.sid} ({message.page}) has {replies} replies")


def judge_tokens(accepted: Iterable[Mapping[str, Any]], log: Log, verdict: Verdict) -> None:
    """Each token was accepted once, is one the log knows, and is the only one of its turn and part; what the log says
    was sent, the vendor has."""
    seen: set[str] = set()
    by_part: dict[tuple[str, int], set[str]] = defaultdict(set)
    for one in accepted:
        token, reply = one["token"], log.replies.get(one["token"])
        if reply is None:
            verdict.doubled.append(f"{one['id']} to {one['to']} is no reply of the log")
        elif token in seen and reply.is_flagged:
            verdict.doubled_flagged += 1
        elif token in seen:
            verdict.doubled.append(f"token {token} to {one['to']}")
        else:
            by_part[reply.turn, reply.part].add(token)
        seen.add(token)
    verdict.lost += [
        f"token {token} to {reply.customer} is {reply.delivery} in the log, and the vendor never took it"
        for token, reply in log.replies.items()
        if reply.is_sent and reply.customer.startswith("+") and token not in seen
    ]
    verdict.doubled += [f"turn {turn} said {len(all_)} times" for (turn, _), all_ in by_part.items() if len(all_) > 1]


def judge_order(accepted: Iterable[Mapping[str, Any]], log: Log, verdict: Verdict) -> None:
    """What a customer got first was said first, part by part; only the first copy of a message counts."""
    places: dict[str, tuple[Any, ...]] = {}
    seen: set[str] = set()
    for one in sorted(accepted, key=lambda one: int(one["number"])):
        reply = log.replies.get(one["token"])
        if reply is None or reply.token in seen:
            continue
        seen.add(reply.token)
        if places.get(reply.customer, reply.place) > reply.place:
            verdict.out_of_order.append(f"{one['id']} to {reply.customer}")
        places[reply.customer] = reply.place
