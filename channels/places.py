"""Addresses on the web, read once: who checks one and who connects to it must read it alike."""

import re
from dataclasses import dataclass

from channels.base import Unfetchable

ADDRESS = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?(?P<target>/[!-~]*)?", re.I)
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """An address, read once."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query."""

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}{self.target}"


def read_place(url: str) -> Place:
    """Raises Unfetchable for anything that is not plainly an address."""
    match = ADDRESS.fullmatch(url)
    if match is None or "#" in url:
        raise Unfetchable("its address cannot be read")
    scheme, host = match["scheme"].lower(), match["host"].lower()
    return Place(scheme, host, int(match["port"] or PORTS[scheme]), match["target"] or "/")
