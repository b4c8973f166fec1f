"""Everything the promises speak of, read from the database in one statement."""

from dataclasses import dataclass
from functools import cached_property

from db.pool import Connection
from tests.stateful.model import UNSETTLED, Row, Talk

EVERYTHING = """
select jsonb_build_object(
  'lanes', (select coalesce(jsonb_agg(to_jsonb(l) || jsonb_build_object('is_due', run_at <= clock_timestamp())), '[]') from lanes l),
  'queue', (select coalesce(jsonb_agg(to_jsonb(q) order by q.id), '[]') from message_queue q),
  'dead', (select coalesce(jsonb_agg(to_jsonb(d) order by d.id), '[]') from dead_letters d),
  'conversations', (select coalesce(jsonb_agg(to_jsonb(c)), '[]') from conversations c),
  'messages', (select coalesce(jsonb_agg(to_jsonb(m) order by m.created_at, m.part), '[]') from messages m),
  'tickets', (select coalesce(jsonb_agg(to_jsonb(t) order by t.created_at), '[]') from tickets t),
  'waiting', (select coalesce(jsonb_agg(to_jsonb(w)), '[]') from waiting_customers w))
"""  # noqa: E501

FORGET = """
delete from lanes; delete from message_queue; delete from dead_letters; delete from conversations;
delete from messages; delete from delivery_events; delete from turns; delete from turn_steps; delete from tickets;
delete from customers; delete from customer_identifiers; delete from agent_metrics; delete from quotas;
delete from workers
"""


@dataclass(frozen=True)
class Snapshot:
    """Rows as they are at one moment."""

    lanes: list[Row]
    queue: list[Row]
    dead: list[Row]
    conversations: list[Row]
    messages: list[Row]
    tickets: list[Row]
    waiting: list[Row]

    @cached_property
    def outbound(self) -> dict[str, Row]:
        return {row["id"]: row for row in self.messages if row["direction"] == "outbound"}

    @cached_property
    def queued_keys(self) -> set[str]:
        return {row["dedupe_key"] for row in self.queue}

    @cached_property
    def dead_keys(self) -> set[str]:
        return {row["dedupe_key"] for row in self.dead}

    @cached_property
    def logged(self) -> set[str]:
        """External ids of the inbound messages in the log."""
        return {row["external_id"] for row in self.messages if row["direction"] == "inbound"}

    def find_conversation(self, talk: Talk) -> Row | None:
        found = [c for c in self.conversations if (c["channel"], c["thread_key"]) == (talk.channel, talk.thread_key)]
        return found[0] if found else None

    def find_ticket(self, talk: Talk) -> Row | None:
        """The newest one."""
        conversation = self.find_conversation(talk)
        of_talk = [t for t in self.tickets if conversation and t["conversation_id"] == conversation["id"]]
        return of_talk[-1] if of_talk else None

    def list_outbound(self, talk: Talk) -> list[Row]:
        conversation = self.find_conversation(talk)
        return [m for m in self.outbound.values() if conversation and m["conversation_id"] == conversation["id"]]

    def is_parked(self, message: Row) -> bool:
        """Nobody can tell whether it arrived, and nothing will be tried any more."""
        key = f"deliver:{message['id']}"
        return message["delivery"] == "unknown" and key not in self.queued_keys and key not in self.dead_keys

    def is_under_way(self, message: Row) -> bool:
        return message["delivery"] in UNSETTLED and not self.is_parked(message)


async def take_snapshot(conn: Connection) -> Snapshot:
    return Snapshot(**await conn.fetchval(EVERYTHING))


async def forget_everything(conn: Connection) -> None:
    """An empty desk for the next example."""
    await conn.execute(FORGET)
