"""What a reply is guarded by: the texts for staff, the plans there are, and the addresses the team itself gives."""

from collections.abc import Sequence

from db.pool import Connection


async def measure_articles(conn: Connection) -> tuple[int, int]:
    """How many versions there are and the newest one's id: when neither changed, nor did any text."""
    row = await conn.fetchrow("select count(*) as versions, coalesce(max(id), 0) as newest from knowledge_base")
    return (row["versions"], row["newest"]) if row else (0, 0)


async def list_internal_texts(conn: Connection) -> list[str]:
    """Title and text of every internal version, equal ones once, also replaced and retired ones: that stays secret."""
    rows = await conn.fetch(
        "select title, body from knowledge_base where visibility = 'internal' group by title, body order by min(id)"
    )
    return [f"{row['title']}\n{row['body']}" for row in rows]


async def list_plans(conn: Connection) -> list[str]:
    """The plans that articles are filed under."""
    rows = await conn.fetch("select distinct plan from knowledge_base where plan is not null order by plan")
    return [row["plan"] for row in rows]


async def list_shared_hosts(conn: Connection, hosts: Sequence[str]) -> list[str]:
    """Those of these host names (letters, digits, dots, hyphens) that two public articles give: the team's own."""
    rows = await conn.fetch(
        r"""
        select host from unnest($1::text[]) host
         where (select count(*) from (
                    select from knowledge_base
                     where state = 'live' and visibility = 'public'
                       and body ~* ('(^|[^a-z0-9.-])' || replace(host, '.', '\.') || '(?![a-z0-9-]|\.[a-z])')
                     limit 2) named) = 2
        """,
        list(hosts),
    )
    return [row["host"] for row in rows]
