"""Keys and push tokens as Google makes them."""

import base64
import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

AUDIENCE = "https://desk.example.com/webhooks/gmail"
SERVICE_ACCOUNT = "push@project.iam.gserviceaccount.example"


@cache
def make_key(name: str, size: int = 2048) -> RSAPrivateKey:
    """A key pair of this name; the same one for every test."""
    return generate_private_key(65537, size)


def make_jwk(name: str, **changed: Any) -> dict[str, Any]:
    """The public half as Google publishes it."""
    public = json.loads(RSAAlgorithm.to_jwk(make_key(name).public_key()))
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": name, "n": public["n"], "e": public["e"]} | changed


def make_claims(**changed: Any) -> dict[str, Any]:
    """What a genuine token says; claims given as None are left out."""
    now = int(time.time())
    claims = {
        "iss": "https://accounts.google.com", "aud": AUDIENCE, "azp": "1", "sub": "1", "email": SERVICE_ACCOUNT,
        "email_verified": True, "iat": now, "exp": now + 3600,
    }  # fmt: skip
    return {name: value for name, value in (claims | changed).items() if value is not None}


def make_token(key: str = "k1", claims: dict[str, Any] | None = None, **headers: Any) -> str:
    """A push token signed with the key of this name, whatever it says."""
    said = json.dumps(make_claims() if claims is None else claims).encode()
    return jwt.PyJWS().encode(said, make_key(key), "RS256", {"kid": key} | headers)


def lay_out(header: dict[str, Any] | bytes, claims: dict[str, Any] | bytes, signature: bytes = b"") -> str:
    """A token of any parts, signed or not."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, signature))
