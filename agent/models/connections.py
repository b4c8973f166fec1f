"""The HTTP connections to the models of one process."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from typing import cast
from urllib.request import getproxies

import httpx2

CONNECT_SECONDS = 5.0
MAX_CONNECTIONS = 150


def open_http_client(connections: int = MAX_CONNECTIONS) -> httpx2.AsyncClient:
    """So many connections for the models of one process; the deadline of a call is the caller's.

    With fewer of them than calls at once, calls wait for each other.
    """
    timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
    if getproxies():  # which a client only heeds where it makes its pool itself
        return httpx2.AsyncClient(limits=allow(connections), timeout=timeout)
    return httpx2.AsyncClient(transport=SpreadTransport(connections), timeout=timeout)


def allow(connections: int) -> httpx2.Limits:
    return httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)


class SpreadTransport(httpx2.AsyncBaseTransport):
    """A pool for each connection in place of one pool for all.

    A pool asks each of its idle connections whether it still lives, twice per request: with 300 in one pool that is
    most of what a call costs.
    """

    def __init__(self, connections: int) -> None:
        trusted = httpx2.create_ssl_context()  # shared: it holds every certificate the machine trusts
        self.pools = [httpx2.AsyncHTTPTransport(verify=trusted, limits=allow(1)) for _ in range(connections)]
        self.calls = [0] * connections

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it over the first free connection, so that few calls keep few connections warm."""
        place = self.calls.index(min(self.calls))
        self.calls[place] += 1
        with ExitStack() as held:
            held.callback(self.release, place)
            response = await self.pools[place].handle_async_request(request)
            response.stream = HeldStream(cast(httpx2.AsyncByteStream, response.stream), held.pop_all().close)
            return response

    def release(self, place: int) -> None:
        self.calls[place] -= 1

    async def aclose(self) -> None:
        for pool in self.pools:
            await pool.aclose()


class HeldStream(httpx2.AsyncByteStream):
    """The body of a reply, whose connection is taken until it is closed."""

    def __init__(self, stream: httpx2.AsyncByteStream, release: Callable[[], None]) -> None:
        self.stream = stream
        self.release = release

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self.stream)

    async def aclose(self) -> None:
        try:
            await self.stream.aclose()
        finally:
            self.release()
