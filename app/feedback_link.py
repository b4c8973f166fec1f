"""The link by which a customer says how content they were: the question's id and our signature of it."""

import base64
import binascii
from uuid import UUID

from app.access import is_same, sign
from app.settings import Settings

SIGNATURE_BYTES = 18
TOKEN_LENGTH = 46  # characters of base64url: the 16 bytes of an id and the signature, without padding


def make_feedback_token(settings: Settings, question: UUID) -> str:
    token = question.bytes + sign(settings, f"feedback:{question}")[:SIGNATURE_BYTES]
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def read_feedback_token(settings: Settings, token: str) -> UUID | None:
    """The question a token was made for; None for one that we did not make."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    try:
        question = UUID(bytes=base64.urlsafe_b64decode(token + "==")[:16])
    except (binascii.Error, ValueError):
        return None
    return question if is_same(token, make_feedback_token(settings, question)) else None


def make_feedback_path(settings: Settings, question: UUID) -> str:
    return f"/feedback/{make_feedback_token(settings, question)}"


def make_feedback_url(settings: Settings, question: UUID) -> str:
    return settings.public_base_url + make_feedback_path(settings, question)
