"""What we know of a vendor's messages, to be held against the vendor's own list."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from db.pool import Connection


async def list_known(conn: Connection, channel: str, external_ids: Sequence[str]) -> set[str]:
    """Those customers' messages that wait, were taken up, were kept aside, or lie among the dead letters."""
    rows = await conn.fetch(
        """
        select given.id from unnest($2::text[]) given (id)
         where exists (select from messages m where m.channel = $1 and m.external_id = given.id)
            or exists (select from message_queue q where q.dedupe_key = $1 || ':' || given.id)
            or exists (select from dead_letters d where d.dedupe_key = $1 || ':' || given.id)
        """,
        channel,
        list(external_ids),
    )
    return {row["id"] for row in rows}


async def find_open_since(conn: Connection, channel: str, *, at_most: timedelta, grace: timedelta) -> datetime | None:
    """When the oldest message was written that the vendor took and has said nothing more of; None: there is none.

    Looked at are those of the time `at_most` that were last tried longer than `grace` ago.
    """
    found: datetime | None = await conn.fetchval(
        """
        select min(sent_at) from messages
         where channel = $1 and delivery = 'sent' and vendor_id is not null
           and sent_at > clock_timestamp() - $2::interval and last_try_at < clock_timestamp() - $3::interval
        """,
        channel,
        at_most,
        grace,
    )
    return found


async def list_fates(conn: Connection, channel: str, vendor_ids: Sequence[str], *, grace: timedelta) -> dict[str, str]:
    """What became of our messages, as far as we know, by the vendor's id; not of what was tried within `grace`."""
    rows = await conn.fetch(
        """
        select vendor_id, delivery from messages
         where channel = $1 and vendor_id = any($2::text[]) and last_try_at < clock_timestamp() - $3::interval
        """,
        channel,
        list(vendor_ids),
        grace,
    )
    return {row["vendor_id"]: row["delivery"] for row in rows}
