"""Words to other programs: signed, to public places only, never redirected, never much, never for long."""

import asyncio
import hmac
import time
from dataclasses import dataclass

import httpcore2

from channels.base import Unfetchable
from channels.places import Place, read_place
from channels.public_network import PublicNetwork, Resolve, is_literal, is_public, resolve

MAX_URL = 2_000  # characters
BROKEN = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one word may take."""

    seconds: float = 10.0
    """In all."""
    answer: int = 64_000
    """Bytes of the answer that are read, and thrown away."""


@dataclass(frozen=True, slots=True)
class Word:
    """What one webhook is told."""

    id: str
    """The same for every try, so that whoever hears it twice knows it."""
    url: str
    secret: str
    body: bytes


def sign_body(secret: str, at: int, body: bytes) -> str:
    """The header Deskhand-Signature: HMAC-SHA256 of `at` (seconds since the epoch), a full stop and the body."""
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, 'sha256').hexdigest()}"


def read_target(url: str, test_origin: str | None = None) -> Place:
    """Where a webhook is. Raises Unfetchable for an address that may not be told anything; a name is looked at later.

    test_origin: the one place that need be neither https nor public, such as http://127.0.0.1:9000.
    """
    if len(url) > MAX_URL:
        raise Unfetchable("its address is too long")
    place = read_place(url)
    is_test = test_origin is not None and place.origin == read_place(test_origin).origin
    if (place.scheme, place.port) != ("https", 443) and not is_test:
        raise Unfetchable("its address is not https on port 443")
    if is_literal(place.host) and not is_public(place.host) and not is_test:
        raise Unfetchable("its host is no public address")
    return place


class Teller:
    """Tells webhooks. test_origin: see read_target."""

    def __init__(
        self, test_origin: str | None = None, *, bounds: Bounds = Bounds(), resolve: Resolve = resolve
    ) -> None:
        self.test_origin = test_origin
        self.bounds = bounds
        own = read_place(test_origin) if test_origin else None
        self.network = PublicNetwork(resolve, (own.host, own.port) if own else None)
        self.tls = httpcore2.default_ssl_context()

    async def tell(self, word: Word) -> int:
        """The status it answered with; redirects are not followed. Raises Unfetchable, else only a cancellation."""
        place, status = read_target(word.url, self.test_origin), list[int]()
        try:
            async with asyncio.timeout(self.bounds.seconds):
                await self.post(word, place, status)
        except (TimeoutError, *BROKEN) as error:
            if not status:  # what follows the status matters to nobody
                raise Unfetchable(f"it gave no answer: {type(error).__name__}") from None
        return status[0]

    async def post(self, word: Word, place: Place, status: list[int]) -> None:
        url = httpcore2.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.target)
        headers = [
            ("Content-Type", "application/json"),
            ("User-Agent", "Deskhand"),
            ("Deskhand-Id", word.id),
            ("Deskhand-Signature", sign_body(word.secret, int(time.time()), word.body)),
        ]
        async with (
            httpcore2.AsyncConnectionPool(ssl_context=self.tls, network_backend=self.network) as connections,
            connections.stream("POST", url, headers=headers, content=word.body) as answer,
        ):
            status.append(answer.status)
            read = 0
            async for piece in answer.aiter_stream():
                read += len(piece)
                if read > self.bounds.answer:
                    return
