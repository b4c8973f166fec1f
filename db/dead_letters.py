"""Work that was given up, queued again."""

from db.pool import Connection


async def revive_dead(conn: Connection, dead_id: int) -> bool:
    """Queue a dead letter again. False when there is none of that id.

    Where a person was called only because the agent failed, and has not spoken yet, the agent answers.
    """
    revived: bool = await conn.fetchval("select revive_dead($1)", dead_id)
    return revived
