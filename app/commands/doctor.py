"""Looks at everything the desk needs and says what to do about what is missing."""

import argparse
from collections.abc import AsyncIterator, Iterator

from pydantic import SecretStr

from app.database import Database, find_database
from app.findings import Finding
from app.model_checks import check_models
from app.settings import Settings
from app.shortfalls import list_doubts, list_off
from app.team_checks import check_team
from app.whatsapp_checks import check_whatsapp
from channels.gmail_api import open_gmail_api
from channels.google_oauth import GmailAccount, GrantExpired
from db.channels import list_switched_off
from db.errors import DeskError, SchemaMismatch
from db.health import (
    REFUSED,
    find_schema_version,
    find_server_version,
    find_vector_version,
    list_alarms,
    load_footing,
)
from db.migrate import check_schema
from db.pool import UNAVAILABLE, Connection, is_pooler, open_connection

OLDEST_POSTGRES = 16
OLDEST_VECTOR = (0, 8)
SHORT_SECRET = 16  # characters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Check settings, database, channels and model. Exit code 1 when something must be mended."


async def run(_: argparse.Namespace, settings: Settings) -> int:
    """Print a line for each finding."""
    findings = list(check_settings(settings))
    findings += [finding async for finding in check_models(settings)]
    if settings.gmail_account is not None:
        findings += [finding async for finding in check_gmail(settings, settings.gmail_account)]
    if settings.whatsapp_account is not None:
        findings += [finding async for finding in check_whatsapp(settings, settings.whatsapp_account)]
    async with find_database(settings) as database:
        findings += [finding async for finding in check_database(settings, database)]
    for finding in findings:
        print(f"{finding.state:<5}{finding.text}")
    return 1 if any(finding.state == "bad" for finding in findings) else 0


def check_settings(settings: Settings) -> Iterator[Finding]:
    """What can be told without asking anybody."""
    if settings.app_secret is None:
        yield Finding("warn", "APP_SECRET is not set: the default command draws one, `web` needs it set")
    for name in ("admin_token", "app_secret"):
        secret: SecretStr | None = getattr(settings, name)
        if secret is not None:
            yield say_secret(name.upper(), secret)
    if settings.host not in ("127.0.0.1", "localhost", "::1") and "//localhost" in settings.public_base_url:
        yield Finding("warn", "PUBLIC_BASE_URL is not set: links in answers point to localhost")
    yield Finding("ok", f"customers reach us at {settings.public_base_url}")
    yield from (Finding("off", line) for line in list_off(settings))
    yield from (Finding("warn", line) for line in list_doubts(settings))


def say_secret(name: str, secret: SecretStr) -> Finding:
    if len(secret.get_secret_value()) < SHORT_SECRET:
        return Finding("warn", f"{name} is short: use at least {SHORT_SECRET} random characters")
    return Finding("ok", f"{name} is set")


async def check_gmail(settings: Settings, account: GmailAccount) -> AsyncIterator[Finding]:
    """Whether Google lets us into the mailbox, and into the right one."""
    try:
        async with open_gmail_api(account, threads=1) as gmail:
            profile = await gmail.load_profile()
    except GrantExpired as error:
        yield Finding("bad", str(error))
        return
    except DeskError as error:
        yield Finding("warn", f"the mailbox {account.address} cannot be asked now ({error})")
        return
    if profile.address != account.address:
        yield Finding("bad", f"Google lets us into {profile.address}, but GMAIL_ADDRESS is {account.address}")
        return
    told = ", and when Google tells us of new mail" if settings.gmail_push and settings.is_https else ""
    yield Finding("ok", f"the mailbox {account.address} is read every {settings.gmail_poll_seconds} s{told}")
    if settings.gmail_push is None:
        yield Finding("off", "mail is noticed sooner once Google tells us of it: docs/channels/gmail.md, Pub/Sub")


async def check_database(settings: Settings, database: Database) -> AsyncIterator[Finding]:
    """What Postgres says."""
    try:
        conn = await open_connection(database.query_url)
    except (*UNAVAILABLE, *REFUSED) as error:
        place = "DATABASE_URL" if settings.database_url else "the embedded Postgres"
        yield Finding("bad", f"{place} cannot be reached ({type(error).__name__}): check address, name and password")
        return
    try:
        async for finding in check_versions(settings, conn):
            yield finding
        if settings.database_url and await is_pooler(database.listen_url):
            yield Finding("bad", "LISTEN would go through a pooler, which delivers nothing: set DATABASE_DIRECT_URL")
    finally:
        await conn.close()


async def check_versions(settings: Settings, conn: Connection) -> AsyncIterator[Finding]:
    server = await find_server_version(conn)
    is_new = server >= OLDEST_POSTGRES
    yield Finding("ok" if is_new else "bad", f"Postgres {server}, at least {OLDEST_POSTGRES} is needed")
    installed, available = await find_vector_version(conn)
    version = installed or available
    if version is None:
        yield Finding("bad", "the extension vector is not there: install pgvector 0.8 or newer on the server")
        return
    is_new = tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_VECTOR
    yield Finding("ok" if is_new else "bad", f"pgvector {version}, at least 0.8 is needed")
    try:
        await check_schema(conn)
    except SchemaMismatch as error:
        yield Finding("bad", str(error))
    else:
        yield Finding("ok", f"the schema is {await find_schema_version(conn)}")
        async for finding in check_team(settings, conn):
            yield finding
        async for finding in check_desk(conn):
            yield finding


async def check_desk(conn: Connection) -> AsyncIterator[Finding]:
    """How the work goes."""
    footing = await load_footing(conn)
    if footing.passages == 0:
        yield Finding("warn", "the knowledge base is empty: python -m app kb import PATH")
    else:
        vectors = footing.embedding_model or "none, text search alone"
        yield Finding("ok", f"{footing.passages} passages, vectors: {vectors}")
    for channel in await list_switched_off(conn):
        yield Finding("off", f"{channel} is switched off, nothing is taken in there: is_on in table channel_configs")
    for alarm in await list_alarms(conn):
        yield Finding("warn", f"{alarm.detail} {alarm.what_to_do}")
