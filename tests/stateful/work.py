"""What a worker does next with a lane it has in hand."""

from dataclasses import dataclass
from typing import Any

from tests.stateful.busy_desk import BusyDesk
from tests.stateful.model import Hand


@dataclass(frozen=True, slots=True)
class Luck:
    """What the model decides, and how the vendor takes it."""

    steps: int
    ending: str
    parts: int
    has_ticket: bool
    send: str
    index_lags: bool


async def go_on(desk: BusyDesk, hand: Hand, luck: Luck) -> None:
    """One stage further, as the worker does it."""
    if hand.stage == "claimed":
        await desk.open_turn(hand)
    elif hand.stage == "open":
        await think(desk, hand, luck)
    elif hand.stage == "ready":
        await desk.begin(hand, None)
    elif hand.stage == "sending":
        give_to_vendor(desk, hand, luck)
    elif hand.stage == "asking":
        await ask_vendor(desk, hand, luck)
    else:
        await desk.end(hand)


async def think(desk: BusyDesk, hand: Hand, luck: Luck) -> None:
    """The steps that are missing, or the end of the turn."""
    assert hand.turn is not None
    if desk.steps[hand.turn.turn_id] < luck.steps:
        await desk.record_step(hand)
        return
    is_silent = hand.turn.handler == "human" and luck.ending != "closed"
    ending = "silent" if is_silent else luck.ending
    if hand.turn.is_suppressed and ending not in ("silent", "closed"):
        ending = "escalated"
    await desk.commit(hand, ending, luck.parts, with_ticket=luck.has_ticket)


def give_to_vendor(desk: BusyDesk, hand: Hand, luck: Luck) -> None:
    talk = desk.find_talk(hand.lane.lane)
    becomes = "busy" if hand.is_asleep else luck.send  # a worker looks at the clock before it sends
    if becomes in ("taken", "answer lost"):
        vendor_id = desk.vendor.take(talk.channel, hand.tried)
        hand.vendor_id = vendor_id if becomes == "taken" else None
    in_doubt = "unknown" if talk.absence else "parked"
    outcomes: dict[str, Any] = {"taken": "sent", "busy": "not_sent", "refused": "failed", "blocked": "failed"}
    hand.is_blocked = becomes == "blocked" and talk.is_chat
    hand.stage, hand.outcome = "ending", outcomes.get(becomes, in_doubt)


async def ask_vendor(desk: BusyDesk, hand: Hand, luck: Luck) -> None:
    talk, taken = desk.find_talk(hand.lane.lane), desk.vendor.find(hand.message_id)
    if taken is None or (luck.index_lags and talk.absence == "likely"):
        await desk.begin(hand, talk.absence)
    else:
        hand.stage, hand.outcome, hand.vendor_id = "ending", "sent", taken.vendor_id
