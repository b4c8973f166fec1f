"""People of the team, their browsers and their machines, as tests need them."""

import secrets
from functools import cache

from argon2 import PasswordHasher

from app.access import cookie_name, hash_admin_token, hash_secret
from app.asking import KEY_PREFIX
from db.people import Actor, Role, accept_invitation, invite
from db.pool import Connection
from db.sessions import TOKEN_HOLDER, NewKey, Scope, make_key, start_session
from tests.app.desk import make_settings

PASSWORD = "four unrelated words make it"


@cache
def hash_quickly(password: str) -> str:
    """As the application keeps it, with less work."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


async def add_person(
    conn: Connection, email: str = "kim@example.com", role: Role = "agent", *, password: str = PASSWORD
) -> Actor:
    """Somebody who was invited and accepted."""
    token = secrets.token_bytes(32)
    await invite(conn, TOKEN_HOLDER, email, role, token)
    person = await accept_invitation(
        conn, token, name=email.partition("@")[0].title(), password_hash=hash_quickly(password)
    )
    assert person is not None
    return person


async def open_browser(conn: Connection, who: Actor) -> dict[str, str]:
    """The headers of a browser in which somebody is logged in."""
    secret, settings = secrets.token_urlsafe(32), make_settings()
    await start_session(
        conn, who, hash_secret(secret), token_hash=hash_admin_token(settings), browser="Firefox on Linux", old=None
    )
    return {"Cookie": f"{cookie_name(settings)}={secret}"}


async def add_machine(conn: Connection, *scopes: Scope, days: int = 90) -> dict[str, str]:
    """The headers of a machine with a key."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    await make_key(conn, TOKEN_HOLDER, NewKey("a machine", list(scopes), key[:9], hash_secret(key), days))
    return {"Authorization": f"Bearer {key}"}
