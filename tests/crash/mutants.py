"""The mistakes the matrix has to find: each is one change to the product, and the cases that must then go wrong."""
# ruff: noqa: E501, S608 (the texts stand as they do in the routines)

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from app.gathering import Gatherer
from channels.base import Channel, OutgoingMessage
from db.migrate import ROUTINES
from db.pool import Connection
from db.queue import NewWork
from db.turns import TurnEnd
from tests.crash import scenes
from tests.crash.points import Point, Way, at
from worker.turn import TurnRunner

TOOK = "after the vendor took it"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: texts replaced in the routines, statements run besides, an attribute of the code replaced."""

    name: str
    hits: tuple[tuple[Point, Way], ...] = ()
    """A case of the matrix that finds it."""
    channel: str = "web"
    scene: scenes.Scene | None = None
    """Or what several do at once."""
    file: str = ""
    changes: tuple[tuple[str, str], ...] = ()
    besides: str = ""
    code: Callable[[], AbstractContextManager[Any]] = nullcontext

    async def infect(self, conn: Connection) -> None:
        """Put the mistake into a database. AssertionError when the code it changes is no longer there."""
        if self.file:
            text = (ROUTINES / self.file).read_text()
            for old, new in self.changes:
                assert old in text, f"{self.name}: {self.file} has changed, and the mutant with it: {old}"
                text = text.replace(old, new)
            await conn.execute(text)
        if self.besides:
            await conn.execute(self.besides)


@contextmanager
def sending_before_committing() -> Iterator[None]:
    """The classic: the reply is sent, then stored."""
    original = TurnRunner.commit

    async def send_then_commit(self: TurnRunner, end: TurnEnd) -> Any:
        for channel in self.channels.values():
            if channel.name in end.lane and end.reply:
                await channel.send(address(channel, end), scenes.keep_nothing)
        return await original(self, end)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TurnRunner, "commit", send_then_commit)
        yield


@contextmanager
def acknowledging_before_storing() -> Iterator[None]:
    """The vendor is told yes, and the row is written some time later."""
    original = Gatherer.add

    async def add_later(self: Gatherer, work: NewWork) -> int | None:
        task = asyncio.create_task(original(self, work))
        self.running.add(task)  # type: ignore[arg-type]
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gatherer, "add", add_later)
        yield


def address(channel: Channel, end: TurnEnd) -> OutgoingMessage:
    to = end.lane.partition(":")[2]
    assert end.reply is not None
    [body] = end.reply["bodies"]
    return scenes.make_message(channel.name, to, body)


COMMIT_FENCE = "select * into held from lanes where lane = t->>'lane' and token = (t->>'token')::bigint for update;\n  if not found then return 'lost'; end if;"

MUTANTS = [
    Mutant(
        "no token check in commit_turn",
        scene=scenes.commit_after_losing_the_lease, file="turn.sql",
        changes=((COMMIT_FENCE, "select * into held from lanes where lane = t->>'lane' for update;"),),
    ),
    Mutant(
        "no fence at all in commit_turn",
        scene=scenes.write_again_while_the_worker_sleeps, file="turn.sql",
        changes=(
            (COMMIT_FENCE, "select * into held from lanes where lane = t->>'lane' for update;"),
            ("where id = (t->>'turn_id')::uuid and state = 'running' for update", "where id = (t->>'turn_id')::uuid for update"),
        ),
    ),
    Mutant(
        "an effect outside the commit: the reply is written before the fence is checked",
        hits=(at("before committing the turn", "sleep"),), file="turn.sql",
        changes=((COMMIT_FENCE,
            "select c.* into talk from conversations c join turns u on u.conversation_id = c.id where u.id = (t->>'turn_id')::uuid;\n"
            "  if reply is not null then perform add_reply(talk, 'agent', gen_random_uuid(), null, reply); end if;\n"
            "  reply := null;\n  " + COMMIT_FENCE),),
    ),
    Mutant(
        "an effect outside the commit: the reply is sent, then stored",
        hits=(at("before committing the turn"),), channel="mute", code=sending_before_committing,
    ),
    Mutant(
        "an effect outside the commit: a step is journalled and shown",
        hits=(at("after journalling a step"),), file="turn.sql",
        changes=(("  perform write_step(in_turn, s);\n  return true;",
            "  perform write_step(in_turn, s);\n  perform add_reply(c, 'agent', gen_random_uuid(), null, '{\"bodies\": [\"One moment.\"], \"delivery\": \"sent\"}')\n"
            "     from conversations c join turns u on u.conversation_id = c.id where u.id = in_turn;\n  return true;"),),
    ),
    Mutant(
        "no token check in begin_delivery",
        scene=scenes.begin_after_losing_the_lease, channel="whatsapp", file="delivery.sql",
        changes=(("where lane = in_lane and token = in_token for update;\n  if not found then return null;",
                  "where lane = in_lane for update;\n  if not found then return null;"),),
    ),
    Mutant(
        "no token check in end_delivery",
        scene=scenes.end_after_losing_the_lease, channel="whatsapp", file="delivery.sql",
        changes=(("where lane = d->>'lane' and token = (d->>'token')::bigint for update", "where lane = d->>'lane' for update"),),
    ),
    Mutant(
        "no token check in record_step",
        scene=scenes.think_on_after_losing_the_lease, file="turn.sql",
        changes=(("on l.lane = r.lane and l.token = r.token\n    where r.id = in_turn and r.token = in_token and",
                  "on l.lane = r.lane\n    where r.id = in_turn and"),),
    ),
    Mutant(
        "no token check in keep_draft",
        scene=scenes.draft_after_losing_the_lease, channel="drafts", file="delivery.sql",
        changes=(("select from lanes where lane = in_lane and token = in_token for share", "select from lanes where lane = in_lane for share"),),
    ),
    Mutant(
        "the draft is not kept",
        hits=(at(TOOK),), channel="drafts", file="delivery.sql",
        changes=(("kept as (update messages set draft_id = in_draft", "kept as (update messages set draft_id = null"),),
    ),
    Mutant(
        "check-then-write: work that came twice at once is there twice",
        scene=scenes.hand_in_at_once, file="queue.sql",
        changes=(
            ("declare new_row bigint;\nbegin\n", "declare new_row bigint;\nbegin\n  if exists (select from message_queue where dedupe_key = in_dedupe_key) then return null; end if;\n"),
            ("values (in_lane, in_kind, in_dedupe_key, in_payload)\n    on conflict (dedupe_key) do nothing returning", "values (in_lane, in_kind, in_dedupe_key, in_payload) returning"),
        ),
        besides="alter table message_queue drop constraint message_queue_dedupe_key_key cascade",
    ),
    Mutant(
        "sent before it is written down that it may be", hits=(at(TOOK),), channel="whatsapp", file="delivery.sql",
        changes=(("update messages set delivery = 'sending', tries", "update messages set delivery = 'pending', tries"),),
    ),
    Mutant(
        "sent again without a look", hits=(at(TOOK),), channel="whatsapp", file="delivery.sql",
        changes=(("when m.delivery <> 'pending' and absence is null then 'look_up'", "when false then 'look_up'"),),
    ),
    Mutant(
        "a vendor that cannot be asked is sent it again", hits=(at(TOOK),), channel="mute", file="delivery.sql",
        changes=(("when m.delivery <> 'pending' and absence is null then 'look_up'", "when false then 'look_up'"),),
    ),
    Mutant(
        "the vendor's no is believed at once", hits=(at(TOOK),), channel="whatsapp", file="delivery.sql",
        changes=(("'tried_ms_ago', extract(epoch from clock_timestamp() - m.last_try_at) * 1000", "'tried_ms_ago', 1e9"),),
    ),
    Mutant(
        "a second try after two in doubt", channel="whatsapp", file="delivery.sql",
        scene=scenes.two_tries_and_an_index_that_never_catches_up,
        changes=(("when absence = 'likely' and m.possible_duplicate then 'park'", "when false then 'park'"),),
    ),
    Mutant(
        "a claim that ignores leases", scene=scenes.answer_with_others_around, file="queue.sql",
        changes=(("l.pending > 0 and l.lease_until is null and", "l.pending > 0 and"),),
    ),
    Mutant(
        "a newer message does not stop the reply in the making", scene=scenes.write_again_meanwhile, file="turn.sql",
        changes=(("when held.superseded < 2 and exists", "when false and exists"),),
    ),
    Mutant(
        "a person's word does not stop the reply in the making", scene=scenes.take_over_meanwhile, file="turn.sql",
        changes=(("when talk.epoch <> this.epoch then 'silenced'", "when false then 'silenced'"),),
    ),
    Mutant(
        "rows leave the queue when they are claimed", hits=(at("after claiming the lane"),), file="queue.sql",
        changes=(("     order by l.lane, q.id;\nend $$;", "     order by l.lane, q.id;\n  delete from message_queue m where m.lane = any(taken);\n"
                  "  update lanes l set pending = 0, lease_until = null where l.lane = any(taken);\nend $$;"),),
    ),
    Mutant(
        "acknowledged, then stored", scene=scenes.take_in_and_die, channel="whatsapp", code=acknowledging_before_storing,
    ),
    Mutant(
        "a report proves nothing", scene=scenes.hear_from_the_vendor, channel="whatsapp", file="delivery.sql",
        changes=(("or idempotency_token = (s->>'token')::uuid", "or false"),),
    ),
    Mutant(
        "sent a second time after a person has spoken", scene=scenes.speak_while_it_is_in_doubt, channel="whatsapp",
        file="delivery.sql",
        changes=(("when m.author = 'agent' and m.sent_by is null and talk.silenced_at > m.sent_at then case", "when false then case"),),
    ),
    Mutant(
        "a lost lease is nobody's", hits=(at("after claiming the lane"),), file="queue.sql",
        changes=(("where l.lease_until < now() and floor = '-infinity'", "where false"),),
    ),
]  # fmt: skip

assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
