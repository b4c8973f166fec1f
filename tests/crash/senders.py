"""Browsers and vendors: who sends the same message again until it is acknowledged."""

import asyncio
import random
import socket
from contextlib import suppress

from tests.crash.matrix import Desk, address_of
from tests.crash.points import Case
from tests.crash.world import World
from tests.stand_ins.http import NoAnswer, NoConnection, call


def find_port() -> int:
    """A port that stays free between two lives: below those that connections of others are given."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


async def send_until_taken(desk: Desk, case: Case, world: World) -> str:
    """What a vendor or a browser does: the same message again until it is acknowledged. Returns the lane."""
    for _ in range(200):
        with suppress(NoConnection, NoAnswer):
            if lane := await send_once(desk, case, world):
                return lane
        await asyncio.sleep(0.1)
    raise AssertionError(f"{case.name}: never acknowledged")


async def send_once(desk: Desk, case: Case, world: World) -> str | None:
    text = f"Something about my boards ({case.key})"
    if case.channel == "whatsapp":
        address = address_of(case)
        answer = await desk.vendor.write(world.public_url, address, text, sid=f"SM{int(case.key[4:]):032x}")
        return f"whatsapp:{address}" if answer.status // 100 == 2 else None
    form = {"name": "Ana Lima", "email": f"{case.key}@example.com", "subject": "A question", "message": text}
    headers = {"Idempotency-Key": f"key-of-{case.key}", "Accept": "application/json"}
    answer = await call("POST", f"{world.public_url}/support/submit", json_body=form, headers=headers)
    if answer.status // 100 != 2:
        return None
    desk.references[case.key] = answer.read_json()["ticket"]
    return f"web:{desk.references[case.key]}"
