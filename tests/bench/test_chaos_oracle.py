"""The oracle of the chaos run convicts: one that always acquits proves nothing."""

from typing import Any

from bench.chaos.oracle import Log, Reply, Verdict, judge
from bench.chaos.plan import CustomerMessage, Plan, make_bursts

ANA = "+4915000000001"
FORM = "customer1@example.com"


def make_message(sid: str, tried_at: float, customer: str = ANA, *, acked: bool = True) -> CustomerMessage:
    return CustomerMessage(
        customer, sid, "Hello", tried_at, tried_at + 0.1 if acked else None, 1, "/support/ticket/TF-1"
    )


def make_accepted(token: str, at: float, number: int = 0) -> dict[str, Any]:
    return {"id": f"SM{number}", "number": number, "to": f"whatsapp:{ANA}", "token": token, "at": at}


def make_reply(token: str, place: int, *, turn: str | None = None, part: int = 1, is_flagged: bool = False) -> Reply:
    return Reply(token, ANA, (place, part), turn or token, part, is_flagged, "sent")


def make_log(*replies: Reply, stored: tuple[str, ...] = ("m1", "m2"), with_person: tuple[str, ...] = ()) -> Log:
    by_token = {reply.token: reply for reply in replies}
    return Log(by_token, frozenset(stored), frozenset(with_person), frozenset(), 0, 0)


def judge_chat(log: Log, *accepted: dict[str, Any]) -> Verdict:
    return judge([make_message("m1", 10), make_message("m2", 11)], (), accepted, {}, log)


def test_a_burst_is_answered_by_one_reply_after_its_last_message() -> None:
    verdict = judge_chat(make_log(make_reply("a", 1)), make_accepted("a", 12))
    assert verdict == Verdict()


def test_a_last_message_without_a_later_reply_is_lost() -> None:
    verdict = judge_chat(make_log(make_reply("a", 1)), make_accepted("a", 10.5))
    assert len(verdict.lost) == 1
    assert "lost" in verdict.list_broken()[0]


def test_a_message_that_was_acknowledged_and_is_in_no_log_is_lost_although_a_reply_followed() -> None:
    verdict = judge_chat(make_log(make_reply("a", 1), stored=("m2",)), make_accepted("a", 12))
    assert len(verdict.lost) == 1


def test_a_message_that_nobody_acknowledged_is_not_missed() -> None:
    assert judge([make_message("m1", 10, acked=False)], (), (), {}, make_log()) == Verdict()


def test_whoever_has_a_person_is_parked_and_not_lost() -> None:
    verdict = judge_chat(make_log(with_person=(ANA,)))
    assert (verdict.lost, verdict.parked) == ([], [ANA])


def test_a_token_accepted_twice_is_doubled_unless_it_is_flagged() -> None:
    twice = make_accepted("a", 12), make_accepted("a", 13, 1)
    assert len(judge_chat(make_log(make_reply("a", 1)), *twice).doubled) == 1
    flagged = judge_chat(make_log(make_reply("a", 1, is_flagged=True)), *twice)
    assert (flagged.doubled, flagged.doubled_flagged) == ([], 1)


def test_two_replies_of_one_turn_and_replies_the_log_does_not_know_are_doubled() -> None:
    log = make_log(make_reply("a", 1, turn="t"), make_reply("b", 2, turn="t"))
    verdict = judge_chat(log, make_accepted("a", 12), make_accepted("b", 13, 1), make_accepted("ghost", 14, 2))
    assert len(verdict.doubled) == 2


def test_parts_and_replies_out_of_their_order_are_noticed() -> None:
    log = make_log(make_reply("a", 1, turn="t", part=1), make_reply("b", 1, turn="t", part=2), make_reply("c", 2))
    wrong = judge_chat(log, make_accepted("b", 12, 0), make_accepted("a", 13, 1), make_accepted("c", 14, 2))
    assert len(wrong.out_of_order) == 1
    assert len(judge_chat(log, make_accepted("c", 12, 0), make_accepted("a", 13, 1)).out_of_order) == 1
    assert not judge_chat(log, make_accepted("a", 12, 0), make_accepted("b", 13, 1)).out_of_order


def test_a_form_has_exactly_one_answer_on_its_page() -> None:
    sent = [make_message("f", 10, FORM)]
    asked, said = {"direction": "inbound"}, {"direction": "outbound"}
    assert judge(sent, (), (), {"f": [asked, said]}, make_log()) == Verdict()
    assert len(judge(sent, (), (), {"f": [asked]}, make_log()).lost) == 1
    assert len(judge(sent, (), (), {}, make_log()).lost) == 1
    assert len(judge(sent, (), (), {"f": [asked, said, said]}, make_log()).doubled) == 1


def test_a_good_message_that_was_refused_breaks_a_law() -> None:
    verdict = judge((), [(403, make_message("m1", 10))], (), {}, make_log())
    assert verdict.list_broken() == ["1 refused: 403 for m1"]


def test_the_same_seed_writes_the_same_messages_and_no_id_twice() -> None:
    bursts = make_bursts(Plan(500, seed=3))
    assert bursts == make_bursts(Plan(500, seed=3))
    messages = [message for burst in bursts for message in burst.messages]
    assert len(messages) == len({message.sid for message in messages}) == 500
    assert sum(message.is_form for message in messages) == 25


def test_a_reply_the_log_calls_sent_and_the_vendor_never_took_is_lost_although_another_one_came() -> None:
    verdict = judge_chat(make_log(make_reply("a", 1), make_reply("b", 2)), make_accepted("b", 12))
    assert len(verdict.lost) == 1
