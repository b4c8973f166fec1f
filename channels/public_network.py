"""Connections to public addresses only: a name is resolved here, and what was looked at is what is connected to."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable

import httpcore2

from channels.base import Unfetchable

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""A host and a port into its addresses."""

MAX_TRIED = 3  # addresses of one host
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv6 that leads to whatever IPv4 address stands in it


async def resolve(host: str, port: int) -> list[str]:
    """As the system knows them, each once. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(text: str) -> bool:
    """Whether an address is one of the open Internet, and no way round to one that is not."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        leads_elsewhere = address.ipv4_mapped or address.sixtofour or address.teredo or address in TRANSLATED
        if leads_elsewhere or address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def is_literal(host: str) -> bool:
    """Whether a host is an address in digits, also one that only resolvers read as such: 127.1, 2130706433."""
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


class PublicNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses, and to the one place the settings name, wherever that is."""

    def __init__(self, resolve: Resolve, own: tuple[str, int] | None) -> None:
        self.resolve = resolve
        self.own = own
        self.network: httpcore2.AsyncNetworkBackend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """As httpcore asks for it. Raises Unfetchable for a host without a public address."""
        failure = httpcore2.ConnectError("no address")
        for address in await self.list_addresses(host, port):
            try:
                return await self.network.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore2.ConnectError as error:
                failure = error
        raise failure

    async def list_addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(type(error).__name__) from None
        allowed = found if (host, port) == self.own else [address for address in found if is_public(address)]
        if found and not allowed:
            raise Unfetchable("its host has no public address")
        return allowed[:MAX_TRIED]
