"""Google's side of a Pub/Sub push: the key it signs with, where that is published, and the envelope it posts."""

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.stand_ins.http import Answer, call
from tests.stand_ins.vendor import serving

CERTS = "/oauth2/v3/certs"
AUDIENCE = "https://desk.example.com/webhooks/gmail"
SERVICE_ACCOUNT = "push@desk-example.iam.gserviceaccount.com"
SUBSCRIPTION = "projects/desk-example/subscriptions/gmail"

Signer = Literal["google", "stranger"]


@cache
def make_key(signer: Signer) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(slots=True)
class PushSender:
    """Mints the tokens of pushes and publishes the key. The audience and the service account are those of this desk."""

    audience: str = AUDIENCE
    service_account: str = SERVICE_ACCOUNT
    kid: str = "key-of-the-stand-in"
    """Give it another one to see the key change."""
    max_age_seconds: int = 20000
    """How long the published key may be kept."""
    certs_url: str = ""
    fetched: int = 0
    """How often the key was asked for."""
    is_down: bool = False
    """The key cannot be had: 503."""

    def mint_token(self, *, signed_by: Signer = "google", kid: str | None = None, **claims: Any) -> str:
        """A token as Google puts it beside a push. Claims given here replace Google's; None leaves one out.

        A stranger signs with a key of its own and says it were Google's.
        """
        now = int(time.time())
        said = {
            "iss": "https://accounts.google.com",
            "aud": self.audience,
            "azp": "110000000000000000001",
            "sub": "110000000000000000001",
            "email": self.service_account,
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        } | claims
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, make_key(signed_by), "RS256", headers={"kid": kid or self.kid})

    async def show_certs(self, _: Request) -> Response:
        """The public key as Google publishes it."""
        self.fetched += 1
        if self.is_down:
            return Response(status_code=503)
        key = jwt.algorithms.RSAAlgorithm.to_jwk(make_key("google").public_key(), as_dict=True)
        headers = {"Cache-Control": f"public, max-age={self.max_age_seconds}, must-revalidate, no-transform"}
        return JSONResponse({"keys": [key | {"kid": self.kid, "use": "sig", "alg": "RS256"}]}, headers=headers)

    async def post(self, url: str, envelope: dict[str, Any], *, token: str | None = None) -> Answer:
        """Post a push once, with a fresh token unless one is given ("" for none). Raises NoConnection, NoAnswer."""
        token = self.mint_token() if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await call("POST", url, headers=headers, json_body=envelope)


def make_envelope(address: str, history_id: str, *, message_id: str | None = None) -> dict[str, Any]:
    """What Pub/Sub posts when a mailbox has changed."""
    words = json.dumps({"emailAddress": address, "historyId": int(history_id)})
    message_id = message_id or str(uuid4().int)[:16]
    published = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    message = {
        "data": base64.b64encode(words.encode()).decode(),
        "messageId": message_id,
        "message_id": message_id,
        "publishTime": published,
        "publish_time": published,
    }
    return {"message": message, "subscription": SUBSCRIPTION}


@asynccontextmanager
async def running_certs() -> AsyncIterator[PushSender]:
    """A push sender whose key can be fetched, without a mailbox behind it."""
    sender = PushSender()
    async with serving(Starlette(routes=[Route(CERTS, sender.show_certs)])) as origin:
        sender.certs_url = origin + CERTS
        yield sender
