"""Gmail from the terminal: connect the mailbox, read it now, have Google tell us of new mail."""

import argparse
import asyncio
import hmac
import signal
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2

from app.database import find_database
from app.settings import Settings, SettingsError
from app.shortfalls import say_gmail_step
from channels.gmail_api import open_gmail_api
from channels.google_oauth import TIMEOUT, Consent, GmailAccount, GrantRefused, Tokens, begin_consent, exchange_code
from db import queue
from db.errors import DeskError
from db.pool import acquire, open_pool

REDIRECT = "http://127.0.0.1"
"""Google lets a desktop client name it. On a server nothing answers there: the address itself is what is wanted."""

WALK = """\
1. Open this address in a browser, signed in as {who}:

{url}

2. Agree to everything that is asked. Where Google says that it has not verified the app: Advanced, Go to ... (unsafe).
   It is your own app.
3. The browser ends on a page that cannot be reached, at an address that begins with {redirect}. That is right.
   Copy this whole address and paste it here.
"""
TRAP = """\
Is the app's publishing status "Testing"? Then Google ends this permission after 7 days, and mail stops. At
https://console.cloud.google.com/auth/audience choose "Publish app" (or, in Google Workspace, "Internal"), and run this
command once more.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "The mailbox that is answered."
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("auth", help="ask its owner for permission, and print GMAIL_REFRESH_TOKEN")
    actions.add_parser("sync", help="have a worker read the mailbox now")
    actions.add_parser("watch", help="have a worker ask Google now to go on telling us of new mail")


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit code 1 where it cannot be done; SettingsError where settings are missing."""
    if args.action == "auth":
        return await connect(settings)
    return await queue_work(settings, f"gmail_{args.action}")


async def queue_work(settings: Settings, kind: str) -> int:
    """What a poll or the schedule would queue anyway, at once."""
    if settings.gmail_account is None:
        raise SettingsError(f"Gmail is off: {say_gmail_step(settings)}")
    if kind == "gmail_watch" and settings.gmail_pubsub_topic is None:
        raise SettingsError("GMAIL_PUBSUB_TOPIC: set it first, docs/channels/gmail.md, step 5")
    async with (
        find_database(settings) as database,
        open_pool(database.query_url, size=1) as pool,
        acquire(pool) as conn,
    ):
        added = await queue.add_work(conn, f"job:{kind}", kind, {}, dedupe_key=f"job:{kind}")
        await queue.notify(conn, queue.WORK_CHANNEL)
    print("queued: a worker does it within seconds, if one runs" if added else "it was queued already")
    return 0


async def connect(settings: Settings) -> int:
    """Everything for the person goes to stderr, the setting alone to stdout. Exit code 1 without a permission."""
    client_id, secret = settings.gmail_client_id, settings.gmail_client_secret
    if client_id is None or secret is None:
        raise SettingsError("set GMAIL_CLIENT_ID and GMAIL_CLIENT_SECRET first: docs/channels/gmail.md says how")
    consent = begin_consent()
    url = consent.make_url(client_id, REDIRECT, settings.gmail_address)
    who = settings.gmail_address or "the mailbox that is to be answered"
    say(WALK.format(who=who, url=url, redirect=REDIRECT))
    fields = {
        "client_id": client_id,
        "client_secret": secret.get_secret_value(),
        "code": read_code(ask_line("Address: "), consent),
        "code_verifier": consent.verifier,
        "redirect_uri": REDIRECT,
    }
    tokens = await asyncio.to_thread(exchange, settings.gmail_token_uri, fields)
    await check_mailbox(settings, client_id, secret.get_secret_value(), tokens)
    say("\nPut this line into the environment of the web process and the worker, and start both anew:\n")
    print(f"GMAIL_REFRESH_TOKEN={tokens.refresh_token}")
    say(f"\n{say_end(tokens)}{TRAP}")
    return 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ask_line(prompt: str) -> str:
    """One line of the terminal. Nothing else runs meanwhile, so that Ctrl-C may end it at once."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(prompt, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def read_code(pasted: str, consent: Consent) -> str:
    """The code in the address Google sent the browser to. GrantRefused for an address that cannot be of this walk."""
    try:
        answer = parse_qs(urlsplit(pasted).query)
    except ValueError:
        answer = {}
    if "error" in answer:
        raise GrantRefused(f"Google gave no permission: {' '.join(answer['error'])[:80]}")
    code, state = answer.get("code", [""])[0], answer.get("state", [""])[0]
    if not code:
        raise GrantRefused(f"this is not the whole address: it begins with {REDIRECT}/ and has state= and code= in it")
    if not hmac.compare_digest(state.encode(), consent.state.encode()):
        raise GrantRefused("this address is of another try: start again, and use the address that is printed then")
    return code


def exchange(token_uri: str, fields: dict[str, str]) -> Tokens:
    with httpx2.Client(timeout=TIMEOUT) as client:
        return exchange_code(client, token_uri, fields)


async def check_mailbox(settings: Settings, client_id: str, client_secret: str, tokens: Tokens) -> None:
    """Say whose mailbox it is. GrantRefused for another one than GMAIL_ADDRESS, which is easily done in a browser that
    is signed in twice."""
    account = GmailAccount(
        address=settings.gmail_address or "",
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=tokens.refresh_token,
        token_uri=settings.gmail_token_uri,
        api_endpoint=settings.gmail_api_endpoint,
    )
    try:
        async with open_gmail_api(account, threads=1) as gmail:
            profile = await gmail.load_profile()
    except DeskError as error:
        say(f"\nThe mailbox could not be looked into ({error}): python -m app doctor tries again.")
        return
    wanted = (settings.gmail_address or profile.address).lower()
    if profile.address != wanted:
        raise GrantRefused(f"you were signed in as {profile.address}, but GMAIL_ADDRESS is {wanted}: start again")
    say(f"\nThis is the permission for {profile.address}.")
    if settings.gmail_address is None:
        say(f"Set GMAIL_ADDRESS={profile.address} as well.")


def say_end(tokens: Tokens) -> str:
    if tokens.refresh_life is None:
        return ""
    ends = datetime.now(UTC) + min(tokens.refresh_life, timedelta(days=3650))
    return f"Google says that this permission ends by itself on {ends:%Y-%m-%d}.\n"
