"""A conversation longer than the agent reads word for word, and what keeps it in short."""

from decimal import Decimal
from uuid import UUID

from agent.models.base import Remote
from agent.models.scripted import ScriptedModel
from agent.prices import Prices
from db.pool import Connection, Pool
from db.turns import Budgets
from tests.fakes import claim_now, claim_one, make_runner, reply_with, submit, write_again
from worker.completer import Completer
from worker.jobs.summary import Summarise

EXPORT = "How do I export a board as a file?"
PROMISE = "We will send you the corrected invoice for September."
LATER = "What else can the calendar do, and where is it?"


def make_summarise(pool: Pool, model: Remote | None, *, prices: Prices | None = None, day: str = "5") -> Summarise:
    """The real job with this model."""
    budgets = Budgets(day=Decimal(day), conversation=Decimal("0.5"), customer=Decimal(1))
    return Summarise(pool, Completer(pool), model, prices or {}, budgets, Decimal("0.05"))


async def add_past(conn: Connection, talk: UUID, said: list[tuple[str, str, str | None]], *, days_ago: int = 3) -> None:
    """Messages (author, text, kind) a minute apart, the first so many days ago."""
    await conn.execute(
        """
        insert into messages
          (conversation_id, channel, direction, author, body, kind, delivery, idempotency_token, sent_at)
        select $1, 'web', case when is_ours then 'outbound' else 'inbound' end, author, body, kind,
               case when is_ours then 'sent' end, case when is_ours then gen_random_uuid() end,
               now() - make_interval(days => $5) + place * interval '1 minute'
          from unnest($2::text[], $3::text[], $4::text[]) with ordinality as said (author, body, kind, place),
               lateral (select author <> 'customer' as is_ours) side
        """,
        talk,
        [author for author, _, _ in said],
        [text for _, text, _ in said],
        [kind for _, _, kind in said],
        days_ago,
    )


def write_dialogue(pairs: int) -> list[tuple[str, str, str | None]]:
    """A promise in the second pair of messages, and chatter around it."""
    talk: list[tuple[str, str, str | None]] = [
        ("customer", EXPORT, None),
        ("agent", "Open the board and choose Export.", "answer"),
        ("customer", "My invoice for September names the wrong company.", None),
        ("person", f"I am sorry about that. {PROMISE}", "answer"),
    ]
    for number in range(pairs - 2):
        talk += [("customer", f"{LATER} ({number})", None), ("agent", f"It shows all due dates. ({number})", "answer")]
    return talk


async def hold_long_talk(pool: Pool, conn: Connection, *, pairs: int = 20) -> str:
    """So many pairs of messages, and a turn after them; the reference."""
    reference = await submit(conn, "Hello there")
    await make_runner(pool, ScriptedModel([reply_with("Hello.")])).run(await claim_one(pool))
    await add_past(conn, await conn.fetchval("select id from conversations"), write_dialogue(pairs))
    await go_on(pool, conn, reference)
    return reference


async def go_on(pool: Pool, conn: Connection, reference: str, text: str = "Are you still there?") -> ScriptedModel:
    """One more turn; the model it asked."""
    await write_again(conn, reference, text)
    model = ScriptedModel([reply_with("Thank you for writing.")])
    await make_runner(pool, model).run(await claim_now(conn, "web:"))
    return model


async def summarise(pool: Pool, conn: Connection, model: Remote | None = None, *, prices: Prices | None = None) -> str:
    """The job that waits, done; the summary."""
    await make_summarise(pool, model, prices=prices).run(await claim_now(conn, "summary:"))
    return str(await conn.fetchval("select summary from conversations"))
