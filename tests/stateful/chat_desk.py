"""What a chat brings besides: STOP and START, what is only kept, messages the vendor never brought, and a time in
which to answer."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from db import chats, queue
from db.pool import Connection
from db.queue import NewWork
from tests.stateful.busy_desk import BusyDesk
from tests.stateful.model import UNSETTLED, Answer, Row, Talk

AHEAD = timedelta(hours=2)
LATE = timedelta(hours=24)
MISSED_FOR = timedelta(hours=30)

AGE_MESSAGES = """
update messages set sent_at = sent_at - $2::interval, created_at = created_at - $2 where conversation_id = $1
"""
AGE_CONVERSATION = """
update conversations set waiting_since = waiting_since - $2::interval, silenced_at = silenced_at - $2 where id = $1
"""
AGE_TICKETS = """
update tickets set created_at = created_at - $2::interval, person_due_at = person_due_at - $2,
       resolved_at = resolved_at - $2, reminded_at = reminded_at - $2 where conversation_id = $1
"""
AGE_ADDRESS = """
update customer_identifiers set suppressed_at = suppressed_at - $2::interval
 where customer_id = (select customer_id from conversations where id = $1)
"""
AGE_WORK = """
update {table} set created_at = created_at - $2::interval,
       payload = jsonb_set(payload, '{{sent_at}}', to_jsonb((payload->>'sent_at')::timestamptz - $2))
 where lane = $1 and kind = 'inbound'
"""


class ChatDesk(BusyDesk):
    """A desk whose customers have a chat open."""

    def find_ours(self, talk: Talk, rows: list[Row]) -> list[Row]:
        conversation = self.now.find_conversation(talk)
        return [row for row in rows if conversation and row.get("conversation_id", row["id"]) == conversation["id"]]

    async def stop(self, talk: Talk, *, has_farewell: bool) -> None:
        """STOP: nobody of us speaks any more, and the customer waits for nothing that was taken up."""
        payload, conversation = self.write_payload(talk, uuid4().hex, "STOP"), self.now.find_conversation(talk)
        farewell = "You will hear no more from us." if has_farewell else None
        for is_new in (True, False):
            assert await chats.opt_out(self.conn, payload, farewell=farewell) == is_new
        self.quieten(talk)
        known, was_stopped = set(talk.outbox), talk.is_stopped
        self.hear(talk)
        talk.is_stopped, talk.outbox_at_stop = True, known
        if not (conversation and conversation["handler"] == "human" and conversation["waiting_since"]):
            talk.is_called = False  # else what a person owes them stays owed
            talk.answers.append(Answer(len(talk.words), [], by_person=False, counts=True))
            talk.unread_at_stop = {word for word in talk.words if word not in self.now.logged}
        await self.observe()
        said = [message_id for message_id in talk.outbox if message_id not in known]
        assert len(said) == (has_farewell and not was_stopped), "one farewell for each time they stop"
        assert all(self.now.outbound[message_id]["kind"] == "opt_out" for message_id in said)
        after = self.now.find_conversation(talk)
        assert after is not None
        assert conversation is None or after["epoch"] == conversation["epoch"] + 1
        self.seen["stop"] += 1

    def quieten(self, talk: Talk) -> None:
        """What must not be handed to the vendor any more: whatever waits, and what the agent has in doubt."""
        talk.interventions += 1
        ours = [m for m in self.now.list_outbound(talk) if m["delivery"] in UNSETTLED and m["kind"] != "opt_out"]
        talk.silenced |= {m["id"] for m in ours if m["author"] == "agent" or m["delivery"] == "pending"}

    async def start(self, talk: Talk) -> None:
        """START is a word like any other, and from then on we may write again."""
        payload = self.write_payload(talk, uuid4().hex, "START")
        async with self.conn.transaction():
            key = f"{talk.channel}:{payload['external_id']}"
            assert await queue.add_many(self.conn, [NewWork(talk.lane, "inbound", payload, key)]) != [None]
            await chats.opt_in(self.conn, payload)
        talk.words.append(payload["external_id"])
        self.hear(talk)
        farewells = [m for m in self.now.list_outbound(talk) if m["delivery"] in UNSETTLED and m["kind"] == "opt_out"]
        talk.silenced |= {message["id"] for message in farewells}
        self.seen["start"] += talk.is_stopped
        talk.is_stopped = False

    async def keep(self, talk: Talk, kind: str) -> None:
        """A reaction or a sticker: kept, and nothing else is any different."""
        payload = self.write_payload(talk, uuid4().hex, f"[{kind}]")
        before = self.find_ours(talk, self.now.conversations), self.find_ours(talk, self.now.tickets), self.now.queue
        for is_new in (True, False):
            assert await chats.keep_aside(self.conn, payload, kind=kind) == is_new
        if kind != "reaction":
            self.hear(talk)
        had_conversation = bool(before[0])
        await self.observe()
        after = self.find_ours(talk, self.now.conversations), self.find_ours(talk, self.now.tickets), self.now.queue
        assert payload["external_id"] in self.now.logged
        assert not had_conversation or after == before, "what is only kept changed something"
        self.seen["kept aside"] += 1

    async def miss(self, talk: Talk, key: str, *, is_late: bool) -> bool:
        """The vendor's list has a message, which never reached us or did. Whether it was new."""
        payload = self.write_payload(talk, key, "hello")
        if is_late:
            payload["sent_at"] = datetime.now(UTC) - MISSED_FOR
        is_new = await chats.store_missed(
            self.conn, payload, quiet=timedelta(0), quiet_cap=timedelta(0), late_after=LATE, prefix="TF"
        )
        if is_new:
            talk.words.append(key)
            talk.unheard_for = min(talk.unheard_for, MISSED_FOR) if is_late else timedelta(0)
            self.seen[f"missed{', and late' if is_late else ''}"] += 1
        if is_new and is_late:
            talk.is_called, talk.interventions = True, talk.interventions + 1
        return is_new

    async def pass_time(self, talk: Talk, hours: timedelta) -> None:
        """All of a conversation is so much older."""
        talk.unheard_for += hours
        await age(self.conn, self.now.find_conversation(talk), talk.lane, hours)

    async def remind(self) -> None:
        """Owners of customers who can soon be written to freely no longer are told so, once, and only they."""
        before = await self.observe()
        count = await chats.remind_windows(self.conn, ahead=AHEAD)
        await self.observe()
        assert self.now.conversations == before.conversations
        assert self.now.messages == before.messages
        were = {ticket["id"]: ticket for ticket in before.tickets}
        reminded = [ticket for ticket in self.now.tickets if ticket != were[ticket["id"]]]
        assert len(reminded) == count
        for ticket in reminded:
            [talk] = [talk for talk in self.talks if (self.now.find_ticket(talk) or {}).get("id") == ticket["id"]]
            conversation = self.now.find_conversation(talk)
            assert conversation is not None
            assert (conversation["handler"], ticket["status"]) == ("human", "escalated")
            assert conversation["waiting_since"]
            assert talk.is_closing, "reminded too early, or too late"
            assert not talk.is_stopped, "an answer is asked for that would not be sent"
            self.seen["reminded"] += 1
        assert await chats.remind_windows(self.conn, ahead=AHEAD) == 0


async def age(conn: Connection, conversation: Row | None, lane: str, hours: timedelta) -> None:
    async with conn.transaction():
        for table in ("message_queue", "dead_letters"):
            await conn.execute(AGE_WORK.format(table=table), lane, hours)
        for statement in (AGE_MESSAGES, AGE_CONVERSATION, AGE_TICKETS, AGE_ADDRESS) if conversation else ():
            await conn.execute(statement, conversation["id"] if conversation else None, hours)
