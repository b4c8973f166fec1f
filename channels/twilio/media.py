"""Files of WhatsApp messages, fetched from Twilio: never from anywhere else, never too much, never for too long."""

import asyncio
import base64
import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin

import httpcore2

from channels.base import Attached, FetchedFile, Unfetchable
from channels.files.text import FileReader
from channels.places import Place, read_place
from channels.public_network import PublicNetwork, Resolve, resolve
from channels.twilio.account import WhatsAppAccount

API_BASE = "https://api.twilio.com"
TWILIO = (".twilio.com", ".twiliocdn.com")
PUBLIC_MEDIA = "https://s3-external-1.amazonaws.com/media.twiliocdn.com/"
"""Where Twilio keeps media of accounts that do not enforce HTTP authentication. S3 takes a path as it is written."""
REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 3
AT_ONCE = 3  # files, each up to Bounds.size in memory
BROKEN = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError)


class NotYet(Unfetchable):
    """Worth one further try: Twilio's webhooks may be ahead of its media."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one file may take."""

    size: int = 10_000_000
    """Bytes, as they come."""
    seconds: float = 10.0
    """For all tries and redirects together."""
    silence: float = 4.0
    """Seconds without a byte that end a try."""
    pause: float = 1.5
    """Seconds before the second try."""


class TwilioMedia:
    """The files of one account."""

    def __init__(
        self,
        account: WhatsAppAccount,
        *,
        api_base: str = API_BASE,
        bounds: Bounds = Bounds(),
        resolve: Resolve = resolve,
    ) -> None:
        self.api = read_place(api_base)
        self.bounds = bounds
        # what the settings name may be anywhere; Twilio's own address may not
        self.network = PublicNetwork(resolve, None if api_base == API_BASE else (self.api.host, self.api.port))
        self.tls = httpcore2.default_ssl_context()
        self.media_path = re.compile(rf"/2010-04-01/Accounts/{re.escape(account.sid)}/Messages/\w+/Media/\w+", re.ASCII)
        self.credentials = base64.b64encode(f"{account.sid}:{account.auth_token}".encode())
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.reader = FileReader()

    async def fetch(self, attached: Attached) -> FetchedFile:
        """One file with what it says. Raises Unfetchable, and nothing else but a cancellation."""
        try:
            async with asyncio.timeout(self.bounds.seconds):
                content = await self.download(attached.url)
        except TimeoutError:
            raise Unfetchable("it takes too long") from None
        return await self.reader.read(content, attached.type)

    async def download(self, url: str) -> bytes:
        place = read_place(url)
        with suppress(NotYet):
            return await self.follow(place)
        await asyncio.sleep(self.bounds.pause)
        return await self.follow(place)

    async def follow(self, place: Place) -> bytes:
        """The content, wherever Twilio has it; only the first to be asked is shown our credentials."""
        content = await self.ask(place, shows_credentials=self.is_our_media(place))
        for _ in range(MAX_REDIRECTS):
            if isinstance(content, bytes):
                return content
            content = await self.ask(content, shows_credentials=False)
        if isinstance(content, bytes):
            return content
        raise Unfetchable("it is redirected too often")

    def is_our_media(self, place: Place) -> bool:
        is_media = self.media_path.fullmatch(place.target.partition("?")[0]) is not None
        return is_media and place.origin == self.api.origin

    def is_allowed(self, place: Place) -> bool:
        if place.origin == self.api.origin:
            return True
        is_known = place.host.endswith(TWILIO) or f"https://{place.host}{place.target}".startswith(PUBLIC_MEDIA)
        return is_known and (place.scheme, place.port) == ("https", 443)

    async def ask(self, place: Place, *, shows_credentials: bool) -> bytes | Place:
        """The content, or where else it is."""
        if not self.is_allowed(place):
            raise Unfetchable("it does not lie with Twilio")
        headers = [(b"Accept", b"*/*"), (b"Accept-Encoding", b"identity"), (b"User-Agent", b"Deskhand")]
        if shows_credentials:
            headers.append((b"Authorization", b"Basic " + self.credentials))
        url = httpcore2.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.target)
        silence = dict.fromkeys(("connect", "read", "write", "pool"), self.bounds.silence)
        try:
            async with (
                httpcore2.AsyncConnectionPool(ssl_context=self.tls, network_backend=self.network) as connections,
                connections.stream("GET", url, headers=headers, extensions={"timeout": silence}) as answer,
            ):
                return await self.read_answer(answer, place)
        except BROKEN as error:
            raise NotYet(f"the connection failed: {type(error).__name__}") from None

    async def read_answer(self, answer: httpcore2.Response, place: Place) -> bytes | Place:
        headers = {name.lower(): value for name, value in answer.headers}
        if answer.status in REDIRECTS:
            return read_redirect(headers.get(b"location", b""), place)
        if answer.status == 404 or answer.status >= 500:
            raise NotYet(f"Twilio answered with status {answer.status}")
        if answer.status != 200:
            raise Unfetchable(f"Twilio answered with status {answer.status}")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Unfetchable("it comes compressed, which nobody asked for")
        return await self.read_content(answer)

    async def read_content(self, answer: httpcore2.Response) -> bytes:
        pieces, size = [], 0
        async for piece in answer.aiter_stream():
            size += len(piece)
            if size > self.bounds.size:
                raise Unfetchable(f"it is larger than {self.bounds.size // 1_000_000} MB")
            pieces.append(piece)
        if not size:
            raise Unfetchable("it is empty")
        return b"".join(pieces)


def read_redirect(location: bytes, place: Place) -> Place:
    try:
        return read_place(urljoin(place.url, location.decode("ascii")))
    except ValueError:
        raise Unfetchable("it is redirected to nowhere") from None
