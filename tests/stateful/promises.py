"""What must be true after every step, whatever happened."""

from collections import Counter
from itertools import pairwise

from tests.stateful.model import ARRIVED, Row, Talk, Vendor
from tests.stateful.snapshot import Snapshot

MOVES = {
    "pending": {"sending", "cancelled", "failed"},
    "sending": {"pending", "unknown", "failed", "cancelled"},
    "unknown": {"sending", "failed", "cancelled"},
    "sent": {"delivered", "read", "failed"},
    "delivered": {"read"},
    "read": set(),
    "failed": {"delivered", "read"},
    "cancelled": set(),
}
"""What a delivery may become. Whatever was not known to be accepted may also turn out to be, see may_move."""


def check_words(talk: Talk, now: Snapshot, given_up: set[str]) -> None:
    """One place for each inbound message: the queue, the log or the dead letters; what was given up is in two."""
    for word in talk.words:
        key = f"{talk.channel}:{word}"
        waits, is_dead, is_logged = key in now.queued_keys, key in now.dead_keys, word in now.logged
        assert waits + is_dead + is_logged >= 1, f"lost: {key}"
        assert waits + is_dead <= 1, f"queued and dead: {key}"
        assert not is_logged or not (waits or is_dead) or word in given_up, f"in the log and not done: {key}"


def check_lanes(now: Snapshot) -> None:
    """The counter of a lane is what waits in it; no lease without a token, no two lanes under one claim's number."""
    counted = Counter(row["lane"] for row in now.queue)
    for lane in now.lanes:
        assert lane["pending"] == counted[lane["lane"]], lane["lane"]
        assert (lane["lease_until"] is None) == (lane["token"] is None), lane["lane"]
    assert set(counted) <= {lane["lane"] for lane in now.lanes}


def check_moves(before: Snapshot, now: Snapshot) -> None:
    """The state of a delivery never goes down."""
    for message_id, row in now.outbound.items():
        was = before.outbound.get(message_id)
        if was is not None and was["delivery"] != row["delivery"]:
            assert may_move(was, row), f"{was['delivery']} -> {row['delivery']}"


def may_move(was: Row, row: Row) -> bool:
    is_news = was["vendor_id"] is None and row["vendor_id"] is not None and was["delivery"] not in ARRIVED
    return row["delivery"] in MOVES[was["delivery"]] or (is_news and row["delivery"] in (*ARRIVED, "failed"))


def check_acceptances(talk: Talk, now: Snapshot, vendor: Vendor, requeued: set[str]) -> None:
    """Each message once, or flagged; in the order of their commits; part after part."""
    taken = Counter(one.message_id for one in vendor.taken if one.message_id in talk.outbox)
    for message_id, times in taken.items():
        row = now.outbound[message_id]
        assert times == 1 or row["possible_duplicate"], f"sent {times} times, and not flagged"
        is_open = row["vendor_id"] is not None or row["possible_duplicate"]
        assert row["delivery"] != "failed" or is_open, "said to have failed, and the vendor has it"
    places = [talk.outbox.index(message_id) for message_id in taken if message_id not in requeued]
    assert places == sorted(places), "replies overtook each other"
    for reply in {now.outbound[message_id]["reply_id"] for message_id in taken}:
        parts = [
            now.outbound[message_id]["part"] for message_id in taken if now.outbound[message_id]["reply_id"] == reply
        ]
        assert all(later == earlier + 1 for earlier, later in pairwise([0, *parts])), f"parts arrived as {parts}"


def check_waiting(talks: list[Talk], now: Snapshot) -> None:
    """Whoever is owed a word is listed once, and nobody else."""
    strangers = Counter(row["channel"] for row in now.waiting if row["conversation_id"] is None)
    for talk in talks:
        conversation = now.find_conversation(talk)
        mine = [row for row in now.waiting if conversation and row["conversation_id"] == conversation["id"]]
        listed = len(mine) if conversation else strangers[talk.channel]
        owed = is_owed(talk, now) if conversation else bool(talk.words)
        assert listed <= 1, f"listed {listed} times: {talk.lane}"
        assert listed or not owed, f"waits and is not listed: {talk.lane}"
        assert not listed or owed or may_be_listed(talk, now), f"listed and does not wait: {talk.lane}"


def is_owed(talk: Talk, now: Snapshot) -> bool:
    """Whether the last word has no answer that arrived, or a person was called and has not answered yet."""
    return talk.is_called or len(talk.words) > count_answered(talk, now)


def count_answered(talk: Talk, now: Snapshot) -> int:
    """How many of the customer's words, the first ones, have an answer that arrived."""
    answered = [
        answer.covers for answer in talk.answers if answer.counts and all(has_arrived(p, now) for p in answer.parts)
    ]
    return max(answered, default=0)


def has_arrived(message_id: str, now: Snapshot) -> bool:
    return now.outbound[message_id]["delivery"] in ARRIVED


def may_be_listed(talk: Talk, now: Snapshot) -> bool:
    """Whose last word is answered may be listed while more is under way to them, or an earlier word is not done."""
    unread = [row for row in now.queue if row["lane"] == talk.lane]
    unread += [row for row in now.dead if row["lane"] == talk.lane and row["payload"]["external_id"] not in now.logged]
    return bool(unread or talk.unread_at_stop) or any(now.is_under_way(message) for message in now.list_outbound(talk))


def check_calls(talk: Talk, now: Snapshot) -> None:
    """Where a reply failed or is in doubt, a person has it: a ticket with an owner and a time."""
    ticket, conversation = now.find_ticket(talk), now.find_conversation(talk)
    if talk.is_called and conversation:
        assert conversation["handler"] == "human"
        assert ticket is not None, "nobody was told"
        assert ticket["assignee"] or ticket["team"], "nobody owns it"
        assert ticket["person_due_at"], "no time is set"


def check_seen(now: Snapshot) -> None:
    """Somebody owns each wait, and a time is set; where a delivery was given up, an operator has its letter."""
    given_up = {row["lane"] for row in now.dead if row["kind"] == "deliver"}
    for row in now.waiting:
        is_seen = not row["is_unseen"] or f"out:{row['conversation_id']}" in given_up
        assert is_seen, f"nobody sees them: they wait for {row['waits_for']}, owner {row['owner']}, due {row['due_at']}"
