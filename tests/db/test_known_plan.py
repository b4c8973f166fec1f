"""On which plan a customer is, where their message does not say it."""

import pytest

from db.pool import Connection, Pool
from db.turns import TurnStart, open_turn
from tests.fakes import claim_one, submit, write_on_a_channel_without_tickets


@pytest.mark.parametrize(("trust", "plan"), [(3, "business"), (0, None)])
async def test_the_plan_of_a_proven_customer_is_known_in_a_chat(
    pool: Pool, conn: Connection, trust: int, plan: str | None
) -> None:
    await conn.execute(
        """
        with known as (insert into customers (name, plan) values ('Ana Lima', 'business') returning id)
        insert into customer_identifiers (kind, value, customer_id, proof)
        select 'phone', '+4915112345678', id, 'provider' from known
        """
    )
    await write_on_a_channel_without_tickets(conn, "How do I export a board?")
    lane = await claim_one(pool)
    first = lane.jobs[0].payload
    start = TurnStart(
        lane=lane.lane, token=lane.token, newest=lane.newest, channel="whatsapp", thread_key=first["thread_key"],
        subject="", trust=trust, customer=first["customer"], covers_external=[first["external_id"]],
    )  # fmt: skip
    turn = await open_turn(conn, start)
    assert turn is not None
    assert turn.plan == plan


async def test_what_somebody_typed_into_a_form_is_not_the_plan_of_whoever_owns_the_address(
    pool: Pool, conn: Connection
) -> None:
    await submit(conn, "Hello", plan="business")
    lane = await claim_one(pool)
    first = lane.jobs[0].payload
    start = TurnStart(
        lane=lane.lane, token=lane.token, newest=lane.newest, channel="web", thread_key=first["thread_key"],
        subject="", trust=0, customer=first["customer"], covers_external=[first["external_id"]],
    )  # fmt: skip
    assert await open_turn(conn, start) is not None
    assert [row["plan"] for row in await conn.fetch("select plan from customers")] == [None]


async def test_the_plan_that_a_form_names_goes_before_what_was_known(pool: Pool, conn: Connection) -> None:
    await submit(conn, "Hello", plan="free")
    lane = await claim_one(pool)
    first = lane.jobs[0].payload
    start = TurnStart(
        lane=lane.lane, token=lane.token, newest=lane.newest, channel="web", thread_key=first["thread_key"],
        subject="", trust=0, customer=first["customer"], covers_external=[first["external_id"]],
    )  # fmt: skip
    turn = await open_turn(conn, start)
    assert turn is not None
    assert turn.plan == "free"
