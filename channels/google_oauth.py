"""Google's permission to act for a mailbox: asked for, exchanged for tokens, renewed."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import httpx2

from channels.answers import read_object
from channels.base import ChannelOff, NotSent
from db.errors import DeskError

SCOPE = "https://www.googleapis.com/auth/gmail.modify"
"""Reading, drafts, sending and watching; not deleting for good."""
CONSENT = "https://accounts.google.com/o/oauth2/v2/auth"
TIMEOUT = httpx2.Timeout(15, connect=5)  # seconds, each
PAUSE = timedelta(seconds=10)  # where Google names none
LONG_PAUSE = timedelta(minutes=1)  # until somebody mends what only a person can
SPARE = 60.0  # seconds: a token is renewed before it can end on its way
USUAL_LIFE = 3600  # seconds, where Google does not say

CONNECT_AGAIN = "Google no longer lets us into the mailbox: run python -m app gmail auth"
CHECK_CLIENT = "Google does not know this OAuth client: check GMAIL_CLIENT_ID and GMAIL_CLIENT_SECRET"
UNKNOWN_CLIENT = frozenset({"invalid_client", "unauthorized_client", "deleted_client", "disabled_client"})


@dataclass(frozen=True, slots=True)
class GmailAccount:
    """Our side at Google: one mailbox, the OAuth client, and what the owner of the mailbox agreed to."""

    address: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    token_uri: str
    api_endpoint: str


@dataclass(frozen=True, slots=True)
class GmailPush:
    """How Google tells us of new mail: the topic it publishes to, and whose token proves that it is Google."""

    topic: str
    audience: str
    service_account: str
    certs_url: str


class GrantExpired(ChannelOff):
    """We may not read or send until a person connects the mailbox again. The reason says how, and names nobody."""


class GrantRefused(DeskError):
    """Google gave no tokens for a code. The message is one line for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One walk through Google's consent page."""

    state: str
    """Comes back in the address Google sends the browser to; another one means another walk."""
    verifier: str
    """PKCE: whoever sees the code alone cannot use it."""

    def make_url(self, client_id: str, redirect_uri: str, address: str | None) -> str:
        """Where the owner of the mailbox agrees. address: preselects the account, when it is known."""
        challenge = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": SCOPE,
            "access_type": "offline",  # a refresh token, not only an hour
            "prompt": "consent",  # without it Google gives a refresh token only the first time
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return f"{CONSENT}?{urlencode(query | ({'login_hint': address} if address else {}))}"


def begin_consent() -> Consent:
    """A walk with secrets of its own."""
    return Consent(secrets.token_urlsafe(24), secrets.token_urlsafe(48))


@dataclass(frozen=True, slots=True)
class Tokens:
    """What Google gives for a code."""

    refresh_token: str = field(repr=False)
    refresh_life: timedelta | None
    """How long the refresh token lasts, where Google says that it ends by itself."""


def exchange_code(client: httpx2.Client, token_uri: str, fields: dict[str, str]) -> Tokens:
    """Tokens for a code. fields: client_id, client_secret, code, code_verifier, redirect_uri.

    Raises GrantRefused, also where the owner has unticked what is needed.
    """
    try:
        answer = client.post(token_uri, data=fields | {"grant_type": "authorization_code"})
    except httpx2.RequestError as error:
        raise GrantRefused(f"Google cannot be reached ({type(error).__name__}): try again") from error
    content = read_object(answer)
    if not answer.is_success:
        raise GrantRefused(explain_code(answer.status_code, content))
    if SCOPE not in str(content.get("scope", SCOPE)).split():
        raise GrantRefused("the box that lets us read and send mail was not ticked: start again and tick it")
    if not content.get("refresh_token"):
        raise GrantRefused("Google gave no refresh token: remove our access at myaccount.google.com and start again")
    life = content.get("refresh_token_expires_in")
    return Tokens(str(content["refresh_token"]), timedelta(seconds=life) if isinstance(life, int) and life else None)


def explain_code(status: int, content: dict[str, Any]) -> str:
    if str(content.get("error")) in UNKNOWN_CLIENT:
        return CHECK_CLIENT
    if content.get("error") == "invalid_grant":
        return "Google does not accept this code: a code works once and for a few minutes, start again"
    if content.get("error") == "redirect_uri_mismatch":
        return "the OAuth client is of another kind: make one of the type Desktop app"
    return f"Google gave no token: status {status}"


class Grant:
    """The access token of one account, shared by its threads and renewed once for all of them."""

    def __init__(self, client: httpx2.Client, account: GmailAccount) -> None:
        self.client = client
        self.account = account
        self.lock = Lock()
        self.access_token = ""
        self.good_until = 0.0

    def load_token(self, refused: str | None = None) -> str:
        """A token that is not `refused`, the one that Google has just sent back.

        Raises GrantExpired when only a person can help, NotSent when Google cannot be asked now. Either way nothing
        was read or sent.
        """
        with self.lock:
            if not self.access_token or self.access_token == refused or time.monotonic() >= self.good_until:
                self.renew()
            return self.access_token

    def renew(self) -> None:
        account = self.account
        fields = {
            "grant_type": "refresh_token",
            "refresh_token": account.refresh_token,
            "client_id": account.client_id,
            "client_secret": account.client_secret,
        }
        try:
            answer = self.client.post(account.token_uri, data=fields)
        except httpx2.RequestError as error:
            raise NotSent(f"Google gives no token: {type(error).__name__}", delay=PAUSE) from error
        content = read_object(answer)
        if not answer.is_success or not content.get("access_token"):
            raise explain_renewal(answer.status_code, content.get("error"))
        self.access_token = str(content["access_token"])
        life = content.get("expires_in")
        self.good_until = time.monotonic() + (life if isinstance(life, int) else USUAL_LIFE) - SPARE


def explain_renewal(status: int, word: object) -> NotSent:
    """What it means that there is no access token."""
    if word == "invalid_grant":
        return GrantExpired(CONNECT_AGAIN, delay=LONG_PAUSE)
    if str(word) in UNKNOWN_CLIENT:
        return GrantExpired(CHECK_CLIENT, delay=LONG_PAUSE)
    return NotSent(f"Google gives no token: status {status}", delay=PAUSE)
