"""What every request may reach: opened once by the lifespan, closed with it."""

from typing import TypedDict

from starlette.requests import Request

from app.settings import Settings
from app.wakeup import ReplyHub, Waker
from db.pool import Pool


class DeskState(TypedDict):
    """Shared by all requests of a process."""

    settings: Settings
    pool: Pool
    waker: Waker
    hub: ReplyHub


DeskRequest = Request[DeskState]
