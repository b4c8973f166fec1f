"""Connections: how a pool is opened, and what stands between us and Postgres."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:  # only the stubs know that these are generic
    Connection, Pool = asyncpg.Connection, asyncpg.Pool

CONNECT_TIMEOUT = 5.0  # seconds
COMMAND_TIMEOUT = 10.0  # seconds; every statement of ours is far quicker, so a silent network is noticed
ACQUIRE_TIMEOUT = 2.0  # seconds; a caller that waits longer is told that the database cannot be had

NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""A NUL as JSON writes it; not the six characters somebody typed, which JSON writes with two backslashes."""

UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.InsufficientResourcesError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedFunctionError,
)
"""The database cannot serve us now; worth another try. (A missing table or function: nobody has migrated yet.)"""


def dump_json(value: Any) -> str:
    """JSON text for a jsonb column: UUIDs and times become text, NUL (which jsonb refuses) is dropped."""
    text = orjson.dumps(value, default=str).decode()
    return NUL.sub(r"\1", text) if "\\u0000" in text else text  # the look costs a hundredth of the search


async def set_up_connection(conn: Connection) -> None:
    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, encoder=dump_json, decoder=orjson.loads, schema="pg_catalog")


async def keep_session(_: Any) -> None:
    """No reset on release: nothing here sets session state, and the reset would cost a round trip."""


async def open_connection(url: str) -> Connection:
    """One connection outside any pool, for LISTEN and for migrations. The caller closes it."""
    conn = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT, statement_cache_size=0)
    await set_up_connection(conn)
    return conn


async def is_pooler(url: str) -> bool:
    """Whether `url` is a connection pooler: it then hands out a backend other than the one it introduced."""
    conn = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT, statement_cache_size=0)
    try:
        return bool(conn.get_server_pid() != await conn.fetchval("select pg_backend_pid()"))
    finally:
        await conn.close()


@asynccontextmanager
async def open_pool(
    url: str, *, size: int, command_timeout: float = COMMAND_TIMEOUT, is_read_only: bool = False
) -> AsyncIterator[Pool]:
    """A pool of up to `size` connections, opened when they are first needed. command_timeout: seconds. is_read_only:
    Postgres itself refuses whatever writes; not behind a pooler, which would not hand the wish on.

    Behind a transaction pooler prepared statements cannot outlive their transaction, so none are kept there.
    """
    try:
        cache = 0 if await is_pooler(url) else 100
    except UNAVAILABLE:
        cache = 0  # slower, and right whatever the address turns out to be once it can be reached
    pool = asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        timeout=CONNECT_TIMEOUT,
        command_timeout=command_timeout,
        statement_cache_size=cache,
        max_cached_statement_lifetime=0,
        init=set_up_connection,
        reset=keep_session,
        server_settings={"default_transaction_read_only": "on"} if is_read_only else None,
    )
    await pool
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), timeout=2)
        except TimeoutError:
            pool.terminate()


def acquire(pool: Pool) -> Any:
    """A connection for the length of an `async with`; TimeoutError after ACQUIRE_TIMEOUT seconds."""
    return pool.acquire(timeout=ACQUIRE_TIMEOUT)
