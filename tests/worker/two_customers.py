"""Customers who write from several addresses, and what a person makes of them."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from agent.models.scripted import ScriptedModel
from channels.base import Channel
from db import merges, queue
from db.people import Actor
from db.pool import Connection, Pool
from db.turns import OpenTurn, TurnStart, open_turn
from tests.fakes import claim_now, make_runner, reply_with, submit
from tests.worker.racing import Vendor

ANA = Actor("person", UUID(int=1), "ana@team.example", "agent")
BEN = Actor("person", UUID(int=2), "ben@team.example", "agent")
MAIL, CHAT, FORM = "lena@example.com", "+4915112345678", "lena@typed.example"
WHOSE = """
select 'identifier', kind || ':' || value, customer_id from customer_identifiers
union all select 'conversation', id::text, customer_id from conversations
union all select 'ticket', id::text, customer_id from tickets
union all select 'message', id::text, customer_id from messages
union all select 'csat', id::text, customer_id from csat
"""


async def list_owners(conn: Connection) -> dict[tuple[str, str], UUID]:
    """Whose everything is, by kind and id."""
    return {(row[0], row[1]): row[2] for row in await conn.fetch(WHOSE)}


async def queue_mail(conn: Connection, address: str = MAIL, *, thread: str = "") -> str:
    """A proven mail; gives its lane."""
    who = {"kind": "email", "value": address, "proof": "dmarc", "name": "Lena Roth", "plan": None}
    return await queue_word(conn, "gmail", f"{thread or uuid4().hex[:8]}:{address}", who, trust=1)


async def queue_chat(conn: Connection, number: str = CHAT) -> str:
    """A word in a chat; gives its lane."""
    who = {"kind": "phone", "value": number, "proof": "provider", "name": "lena", "plan": None}
    return await queue_word(conn, "whatsapp", number, who, trust=3)


async def queue_word(conn: Connection, channel: str, key: str, who: dict[str, str | None], *, trust: int) -> str:
    payload = {
        "version": 1, "channel": channel, "thread_key": key, "external_id": uuid4().hex, "body": "Hello there",
        "subject": "A question", "category": None, "trust": trust, "sent_at": datetime.now(UTC), "customer": who,
    }  # fmt: skip
    await queue.add_work(conn, f"{channel}:{key}", "inbound", payload, dedupe_key=f"{channel}:{payload['external_id']}")
    return f"{channel}:{key}"


async def take_up(pool: Pool, conn: Connection, lane: str, reply: str = "Thank you for writing.") -> UUID:
    """The agent answers what waits in a lane; gives the conversation."""
    vendors: list[Channel] = [Vendor(name=name) for name in ("gmail", "whatsapp")]
    model = ScriptedModel([reply_with(reply)])
    await make_runner(pool, model, channels=vendors).run(await claim_now(conn, lane))
    return await find_talk(conn, lane)


async def find_talk(conn: Connection, lane: str) -> UUID:
    talk: UUID = await conn.fetchval("select id from conversations where channel || ':' || thread_key = $1", lane)
    return talk


async def mail(pool: Pool, conn: Connection, address: str = MAIL) -> UUID:
    return await take_up(pool, conn, await queue_mail(conn, address))


async def chat(pool: Pool, conn: Connection, number: str = CHAT) -> UUID:
    return await take_up(pool, conn, await queue_chat(conn, number))


async def fill_in_form(pool: Pool, conn: Connection, email: str = FORM) -> UUID:
    return await take_up(pool, conn, f"web:{await submit(conn, 'Hello there', email=email)}")


async def begin_turn(pool: Pool, conn: Connection, lane_name: str) -> OpenTurn:
    """A turn that has begun and not ended."""
    lane = await claim_now(conn, lane_name)
    first = lane.jobs[0].payload
    turn = await open_turn(conn, TurnStart(
        lane=lane.lane, token=lane.token, newest=lane.newest, channel=first["channel"], thread_key=first["thread_key"],
        subject="", trust=first["trust"], customer=first["customer"], covers_external=[first["external_id"]],
    ))  # fmt: skip
    assert turn is not None
    return turn


async def propose(conn: Connection, talk: UUID, other: str, reason: str = "") -> UUID:
    told = await merges.propose_merge(conn, talk, other, reason, ANA)
    assert told["outcome"] == "accepted"
    return UUID(told["merge"])


async def merge(conn: Connection, talk: UUID, other: str, reason: str = "") -> UUID:
    """Ana says that they are one, and Ben agrees."""
    said = await propose(conn, talk, other, reason)
    assert await merges.accept_merge(conn, talk, said, BEN) == "accepted"
    return said


async def undo(conn: Connection, talk: UUID, merge_id: UUID) -> None:
    assert await merges.undo_merge(conn, talk, merge_id, BEN) == "accepted"


async def find_owner(conn: Connection, talk: UUID) -> UUID:
    owner: UUID = await conn.fetchval("select customer_id from conversations where id = $1", talk)
    return owner
