"""Logging in, step by step: how often it may be tried, what is asked for, and the session it ends in."""

import re
import secrets
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.access import (
    give_cookie,
    hash_admin_token,
    hash_secret,
    is_same,
    make_ip_key,
    make_quota_key,
    read_session,
    sign,
)
from app.problems import Link, Problem, too_many
from app.settings import Settings
from app.state import DeskRequest
from app.totp import derive_secret, find_step
from db.people import Actor, Credentials, find_credentials_by_id, win_totp_step
from db.pool import acquire
from db.quotas import return_quota, win_quota
from db.sessions import start_session

TRIES = 10  # per network address and window
TRY_WINDOW = timedelta(minutes=10)
HERE_TRIES = 10  # wrong ones per account, network address and window
ACCOUNT_TRIES = 20  # wrong ones per account and window, from wherever; as many again of codes
ACCOUNT_WINDOW = timedelta(hours=1)
CODE_SECONDS = 300  # from the password to the code
PENDING = re.compile(r"([0-9a-f-]{36})\.([0-9]{1,12})\.([0-9a-f]{64})")
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "FxiOS": "Firefox", "Chrome": "Chrome",
            "CriOS": "Chrome", "Safari": "Safari"}  # fmt: skip
SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "CrOS": "ChromeOS",
           "Mac OS X": "macOS", "Linux": "Linux"}  # fmt: skip


async def slow_down(request: Request[Any]) -> None:
    """Count a try of this network address. Raises the 429 Problem when there were too many that were not forgiven."""
    await count_try(request, name_tries(request), TRIES, TRY_WINDOW)


async def forgive(request: Request[Any]) -> None:
    """Give this one try back, for it was right; every wrong one stays counted, lest a login of one's own pay for it."""
    await forget_try(request, name_tries(request))


def name_tries(request: Request[Any]) -> str:
    return f"login:{make_ip_key(request)}"


async def is_password(request: Request[Any], email: str, password: str, kept: str | None) -> bool:
    """Whether it is the password of this account, which need not exist (then `kept` is None).

    Raises the 429 Problem when too many were wrong: from this network address whatever comes next, from all together
    only for another wrong one, lest strangers who guess lock the owner out. The 503 Problem as Passwords.
    """
    account = f"login:account:{make_quota_key(request.state.settings, 'account', email)}"
    here = f"{account}:{make_ip_key(request)}"
    await count_try(request, here, HERE_TRIES, ACCOUNT_WINDOW)  # before it is looked at: many at once get no more
    try:
        is_right: bool = await request.state.passwords.is_right(password, kept)
    except Problem:
        await forget_try(request, here)
        raise
    if is_right:
        await forget_try(request, here)
    else:
        await count_try(request, account, ACCOUNT_TRIES, ACCOUNT_WINDOW)
    return is_right


async def count_try(request: Request[Any], key: str, tries: int, window: timedelta) -> None:
    async with acquire(request.state.pool) as conn:
        wait = await win_quota(conn, key, capacity=tries, window=window)
    if wait is not None:
        problem = too_many(wait.total_seconds(), "Too many tries.")
        problem.link = Link("/login", "Back to the log-in")
        raise problem


async def forget_try(request: Request[Any], key: str) -> None:
    async with acquire(request.state.pool) as conn:
        await return_quota(conn, key)


def sign_pending(settings: Settings, credentials: Credentials, expires: int | None = None) -> str:
    """Says for five minutes that somebody gave their password and owes a code. A new password ends it."""
    expires = int(time.time()) + CODE_SECONDS if expires is None else expires
    proof = sign(settings, f"pending:{credentials.id}:{expires}:{credentials.password_hash}").hex()
    return f"{credentials.id}.{expires}.{proof}"


async def find_pending(request: DeskRequest, text: str) -> Credentials | None:
    """Who gave their password and owes a code; None when that is not so, or too long ago."""
    found = PENDING.fullmatch(text)
    if not found or int(found[2]) < time.time():
        return None
    try:
        person_id = UUID(found[1])
    except ValueError:
        return None
    async with acquire(request.state["pool"]) as conn:
        credentials = await find_credentials_by_id(conn, person_id)
    if credentials is None or not is_same(text, sign_pending(request.state["settings"], credentials, int(found[2]))):
        return None
    return credentials


async def use_code(request: DeskRequest, credentials: Credentials, code: str) -> bool:
    """Whether this is a code of theirs that was not used before; it is used up by asking.

    Raises the 429 Problem when too many were wrong, from wherever, even for a right one: there are few codes, and only
    who knows the password gets this far.
    """
    if credentials.totp_secret is None:
        return False
    key = f"login:code:{make_quota_key(request.state['settings'], 'account', credentials.email)}"
    await count_try(request, key, ACCOUNT_TRIES, ACCOUNT_WINDOW)
    step = find_step(derive_secret(request.state["settings"], credentials.totp_secret), code)
    if step is None:
        return False
    async with acquire(request.state["pool"]) as conn:
        is_new = await win_totp_step(conn, credentials.id, step)
    if is_new:
        await forget_try(request, key)
    return is_new


async def open_session(request: DeskRequest, who: Actor, target: str) -> Response:
    """On to `target`, logged in; whatever session the browser had is over."""
    settings, secret = request.state["settings"], secrets.token_urlsafe(32)
    async with acquire(request.state["pool"]) as conn:
        await start_session(
            conn, who, hash_secret(secret), token_hash=hash_admin_token(settings),
            browser=name_browser(request.headers.get("user-agent", "")), old=read_session(request),
        )  # fmt: skip
    response = RedirectResponse(target, 303)
    give_cookie(response, settings, secret)
    return response


def name_browser(agent: str) -> str | None:
    """Browser and system in a few words of ours; None when neither is known."""
    browser = next((name for mark, name in BROWSERS.items() if f"{mark}/" in agent), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in agent), None)
    return " on ".join(name for name in (browser, system) if name) or None
