"""What whoever writes a mail may rely on: one answer in the same thread, and no mail lost on the way."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Literal
from uuid import UUID, uuid4

import pytest

from channels.gmail import open_gmail
from channels.mail.threads import make_message_id
from db import handover
from db.errors import RetryLater
from db.mails import load_mailbox
from db.pool import Connection, Pool
from tests.fakes import hand_over, reply_with
from tests.stand_ins.gmail import Gmail
from tests.stand_ins.gmail_journal import GmailFault, read_head
from tests.worker.mail_desk import MailDesk, make_bounce, make_mail, open_mail_desk, read_account


@pytest.fixture
async def desk(pool: Pool, conn: Connection, gmail: Gmail) -> AsyncIterator[MailDesk]:
    async with open_mail_desk(MailDesk, pool, conn, gmail) as desk:
        yield desk


async def test_a_mail_is_answered_once_in_its_thread(desk: MailDesk) -> None:
    mail = await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    await desk.sync()
    [answer] = await desk.gmail.list_sent()
    head = read_head(answer.raw)
    assert answer.thread_id == mail.thread_id
    assert (head.sender, head.subject) == (f"Tidefern <{desk.gmail.address}>", "Re: Export")
    assert set(head.mentions) == {read_head(mail.raw).message_id}
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "sent"
    assert await desk.sql("select vendor_id from messages where direction = 'outbound'") == answer.id
    assert await desk.sql("select count(*) from waiting_customers") == 0
    assert await desk.sql("select array_agg(verdict order by created_at) from mails") == ["customer", "own"]


async def test_a_mail_that_is_read_twice_is_answered_once(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.sql("update channel_configs set cursor = '1' where channel = 'gmail'")
    await desk.sync()
    assert await desk.sql("select count(*) from message_queue where kind = 'inbound'") == 1
    assert await desk.sql("select count(*) from mails") == 1


async def test_nothing_is_lost_when_the_second_page_fails(desk: MailDesk) -> None:
    desk.gmail.knobs.page_size = 2
    sent = [(await desk.gmail.import_mail(make_mail(f"Question {number}"))).id for number in range(5)]
    before = await desk.sql("select cursor from channel_configs where channel = 'gmail'")
    desk.gmail.knobs.script["history.list"] = ["ok", "fail_500"]
    with pytest.raises(RetryLater):
        await desk.syncing.sync()
    assert await desk.sql("select cursor from channel_configs where channel = 'gmail'") == before
    await desk.syncing.sync()
    assert await desk.sql("select array_agg(id order by created_at) from mails") == sent


async def test_nothing_is_lost_when_reading_ends_in_the_middle(desk: MailDesk) -> None:
    sent = [(await desk.gmail.import_mail(make_mail(f"Question {number}"))).id for number in range(15)]
    met: list[GmailFault | Literal["ok"]] = ["ok"] * 12
    desk.gmail.knobs.script["messages.get"] = [*met, "fail_500"]
    with pytest.raises(RetryLater):
        await desk.syncing.sync()
    assert 0 < await desk.sql("select count(*) from mails") < 13
    await desk.syncing.sync()
    assert await desk.sql("select array_agg(id order by id) from mails") == sorted(sent)
    assert await desk.sql("select count(*) from message_queue where kind = 'inbound'") == 15


async def test_where_gmail_has_forgotten_the_place_recent_mail_is_read_again_and_old_mail_goes_to_a_person(
    desk: MailDesk,
) -> None:
    await desk.gmail.import_mail(make_mail("An old question"), received_at=time.time() - 30 * 3600)
    await desk.gmail.import_mail(make_mail("A new question"))
    await desk.gmail.expire_history()
    await desk.sql(
        "update channel_configs set cursor = '1', synced_at = now() - interval '2 days' where channel = 'gmail'"
    )
    await desk.sync()
    assert await desk.sql("select array_agg(verdict order by arrived_at) from mails") == ["late", "customer"]
    assert await desk.sql("select array_agg(waits_for order by waiting_since) from waiting_customers") == [
        "person",
        "queue",
    ]
    assert await desk.sql("select escalation_reason from tickets") == "late"
    await desk.sync()
    assert await desk.sql("select count(*) from mails") == 2


async def test_the_cursor_never_goes_back_and_may_be_longer_than_64_bits(desk: MailDesk) -> None:
    far = "99999999999999999999999"
    await desk.sql("select advance_cursor('gmail', $1)", far)
    await desk.sql("select advance_cursor('gmail', '99999999999999999999')")
    assert await desk.sql("select cursor from channel_configs where channel = 'gmail'") == far


@pytest.mark.parametrize("header", ["Auto_Submitted: auto-replied", "List_Unsubscribe: <mailto:a@example.org>"])
async def test_robots_are_kept_and_not_answered(desk: MailDesk, header: str) -> None:
    name, _, value = header.partition(": ")
    await desk.receive(make_mail(**{name: value}))
    assert await desk.sql("select verdict from mails") == "robot"
    assert await desk.sql("select count(*) from message_queue") == 0


async def test_a_bounce_fails_the_message_it_is_about_and_calls_a_person(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    [answer] = desk.gmail.journal.sent
    await desk.receive(make_bounce(answer.message_id or "", "ana@example.com", has_original=True))
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "failed"
    assert await desk.sql("select waits_for from waiting_customers") == "person"
    assert await desk.sql("select count(*) from message_queue") == 0


async def test_what_a_person_types_in_gmail_silences_the_agent(desk: MailDesk) -> None:
    mail = await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.gmail.type_reply(mail.thread_id, "Jane here: like this.")
    await desk.sync()
    await desk.deliver()
    assert desk.gmail.journal.sent == []
    rows = await desk.conn.fetch("select author, delivery from messages where direction = 'outbound' order by sent_at")
    assert [tuple(row) for row in rows] == [("agent", "cancelled"), ("person", "sent")]
    assert await desk.sql("select handler from conversations") == "human"
    assert await desk.sql("select count(*) from waiting_customers") == 0


async def test_who_answers_a_mail_of_ours_in_another_thread_goes_on_with_the_same_conversation(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    token = await desk.sql("select idempotency_token from messages where direction = 'outbound'")
    ours = f"<{make_message_id(UUID(str(token)), 'example.com')}>"
    await desk.receive(make_mail("And lists?", answers=ours))
    await desk.turn(reply_with("The same way."))
    assert await desk.sql("select count(*) from conversations") == 1
    assert await desk.sql("select trust from conversations") == 2


async def test_a_stranger_who_names_our_mail_or_ticket_does_not_join_the_conversation(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    token = await desk.sql("select idempotency_token from messages where direction = 'outbound'")
    ours = f"<{make_message_id(UUID(str(token)), 'example.com')}>"
    await desk.receive(make_mail("What did she write?", sender="Eve <eve@evil.example>", answers=ours))
    await desk.turn(reply_with("Who are you?", kind="clarifying_question"))
    assert await desk.sql("select count(*) from conversations") == 2
    assert await desk.sql("select count(distinct customer_id) from conversations") == 2


async def test_who_is_not_vouched_for_is_only_claimed(desk: MailDesk) -> None:
    await desk.receive(make_mail().replace(b"dmarc=pass", b"dmarc=fail"))
    await desk.turn(reply_with("Here is how."))
    assert await desk.sql("select trust from conversations") == 0
    assert await desk.sql("select proof from customer_identifiers") == "claimed"


@pytest.mark.parametrize("fault", ["drop", "accept_500"])
async def test_a_send_whose_answer_was_lost_is_not_made_again(desk: MailDesk, fault: GmailFault) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    desk.gmail.knobs.script["drafts.send"] = [fault]
    await desk.deliver()
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "unknown"
    await desk.deliver()
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "sent"
    assert len(desk.gmail.journal.sent) == 1
    assert not await desk.sql("select bool_or(possible_duplicate) from messages")


async def test_a_send_that_surely_failed_is_made_again_from_the_same_draft(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    desk.gmail.knobs.script["drafts.send"] = ["quota_429", "lose"]
    for _ in range(4):
        if await desk.sql("select exists (select from message_queue where kind = 'deliver')"):
            await desk.deliver()
    assert len(desk.gmail.journal.sent) == 1
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "sent"


async def test_a_send_seen_in_the_mailbox_is_known_before_anybody_asks(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    desk.gmail.knobs.script["drafts.send"] = ["drop"]
    await desk.deliver()
    await desk.sync()
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "sent"


async def test_a_grant_that_ended_turns_the_channel_red_and_loses_nothing(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.gmail.revoke_grant()
    await desk.sync()
    await desk.deliver()
    assert await desk.sql("select needs_person from alarms where alarm = 'channel_red'")
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "pending"
    await desk.gmail.grant()  # python -m app gmail auth
    async with open_gmail(read_account(desk.gmail), "Tidefern") as desk.channel:
        await desk.sync()
        await desk.deliver()
    assert not await desk.sql("select exists (select from alarms where alarm = 'channel_red')")
    assert len(desk.gmail.journal.sent) == 1


async def test_a_mail_that_cannot_be_read_is_parked_with_all_its_bytes_and_the_others_go_on(desk: MailDesk) -> None:
    bomb = b"Subject: " + b"=?utf-8?q?x?= " * 200_000 + b"\r\n\r\nHello"
    await desk.gmail.import_mail(bomb)
    await desk.receive(make_mail())
    assert await desk.sql("select array_agg(verdict order by created_at) from mails") == ["parked", "customer"]
    assert await desk.sql("select raw from mails where verdict = 'parked'") == bomb
    assert await desk.sql("select needs_person from alarms where alarm = 'mail_parked'")


async def test_a_persons_answer_on_the_ticket_page_goes_out_as_a_persons(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    reference = await desk.sql("select call_person(id, 'asked', '', 'TF') from conversations")
    await handover.add_person_message(desk.conn, reference, "Jane here.", idempotency=uuid4())
    await desk.deliver()
    machine, person = (sent.raw for sent in desk.gmail.journal.sent)
    assert b"Auto-Submitted: auto-replied" in machine
    assert b"Auto-Submitted" not in person
    assert reference.encode() in person


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("call", ["drafts.create", "drafts.send"])
async def test_a_worker_killed_while_it_sends_leaves_one_answer(
    desk: MailDesk, call: str, point: Literal["before", "after"]
) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    desk.gmail.knobs.held = call
    desk.gmail.gate.close(point)
    sending = asyncio.create_task(desk.deliver())
    await desk.gmail.gate.reached.wait()
    sending.cancel()
    await asyncio.wait([sending])
    desk.gmail.gate.open(forget=True)
    await desk.deliver()
    assert len(desk.gmail.journal.sent) == 1
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "sent"
    assert not await desk.sql("select bool_or(possible_duplicate) from messages")


async def test_a_worker_killed_before_it_kept_its_draft_leaves_one_answer(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.sql("alter table messages add constraint no_draft check (draft_id is null)")
    await desk.deliver()
    await desk.sql("alter table messages drop constraint no_draft")
    await desk.deliver()
    assert len(desk.gmail.journal.sent) == 1


async def test_what_a_person_types_in_gmail_leaves_no_draft_to_be_sent_after_it(desk: MailDesk) -> None:
    await desk.sql("update channel_configs set mode = 'draft' where channel = 'gmail'")
    mail = await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    assert await desk.sql("select state from drafts") == "pending"
    await desk.gmail.type_reply(mail.thread_id, "Jane here: like this.")
    await desk.sync()
    assert await desk.sql("select state from drafts") == "superseded"
    assert await desk.sql("select count(*) from waiting_customers") == 0


async def test_a_reply_typed_before_the_agent_came_to_the_mail_silences_the_agent(desk: MailDesk) -> None:
    mail = await desk.gmail.import_mail(make_mail())
    await desk.gmail.type_reply(mail.thread_id, "Jane here: like this.")
    await desk.sync()
    await desk.turn(reply_with("Here is how."))
    assert await desk.sql("select outcome from turns") == "silent"
    assert await desk.sql("select count(*) from messages where author = 'agent'") == 0
    assert await desk.sql("select count(*) from waiting_customers") == 0


async def test_whoever_answers_a_thread_a_person_began_gets_that_person(desk: MailDesk) -> None:
    first = await desk.receive(make_mail(sender="Jane <support@example.com>", to="ana@example.com"), labels=("SENT",))
    raw = make_mail("Yes, please.", answers=f"<{read_head(first.raw).message_id}>")
    await desk.receive(raw)
    await desk.turn(reply_with("Here is how."))
    assert await desk.sql("select handler from conversations") == "human"
    assert await desk.sql("select array_agg((waits_for, owner, is_unseen)::text) from waiting_customers") == [
        "(person,support,f)"
    ]


async def test_a_word_to_a_colleague_in_the_thread_answers_no_customer(desk: MailDesk) -> None:
    mail = await desk.receive(make_mail("Let me talk to a person"))
    await desk.turn(hand_over())
    await desk.deliver()
    before = await desk.sql("select waiting_since from waiting_customers")
    colleague = make_mail("Can you see to this?", sender="Jane <support@example.com>", to="bob@example.com")
    await desk.receive(
        colleague.replace(b"\n\n", f"\nIn-Reply-To: <{read_head(mail.raw).message_id}>\n\n".encode(), 1),
        labels=("SENT",),
    )
    assert await desk.sql("select waiting_since from waiting_customers") == before


async def test_an_automatic_answer_of_gmails_is_no_persons_word(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    canned = make_mail(
        "We have your mail.", sender="<support@example.com>", to="ana@example.com", Auto_Submitted="auto-replied"
    )
    await desk.receive(canned, labels=("SENT",))
    assert await desk.sql("select array_agg(verdict order by created_at) from mails") == ["customer", "own"]
    await desk.turn(reply_with("Here is how."))
    assert await desk.sql("select handler from conversations") == "agent"


async def test_whom_a_person_answered_in_gmail_has_a_ticket_when_they_come_back(desk: MailDesk) -> None:
    mail = await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    await desk.gmail.type_reply(mail.thread_id, "Jane here: like this.")
    await desk.sync()
    assert await desk.sql("select status from tickets") == "answered"
    await desk.receive(make_mail("And now?", answers=f"<{read_head(mail.raw).message_id}>"))
    await desk.turn(reply_with("Here is how."))
    row = await desk.conn.fetchrow(
        "select waits_for, owner, is_unseen, reference is not null as known from waiting_customers"
    )
    assert row is not None
    assert tuple(row) == ("person", "support", False, True)
    reference = await desk.sql("select reference from tickets")
    await handover.add_person_message(desk.conn, reference, "Like that.", idempotency=uuid4())
    await desk.deliver()
    assert await handover.hand_back(desk.conn, reference) == "accepted"


async def test_whom_a_person_answered_while_a_send_was_in_doubt_does_not_wait_for_ever(desk: MailDesk) -> None:
    mail = await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    desk.gmail.knobs.script["drafts.send"] = ["lose"]
    await desk.deliver()
    assert await desk.sql("select delivery from messages where author = 'agent'") == "unknown"
    await desk.gmail.type_reply(mail.thread_id, "Jane here: like this.")
    await desk.sync()
    await desk.deliver()
    assert await desk.sql("select delivery from messages where author = 'agent'") == "cancelled"
    assert await desk.sql("select count(*) from waiting_customers") == 0


@pytest.mark.parametrize("name", ["Message_ID", "From"])
async def test_a_header_longer_than_an_index_takes_holds_up_no_other_mail(desk: MailDesk, name: str) -> None:
    strange = "".join(chr(0x4E00 + number * 7 % 20_000) for number in range(990))
    value = f"<{strange}@example.com>" if name == "Message_ID" else f"{'x' * 3000}{secrets.token_hex(3000)}@example.com"
    raw = make_mail()
    start = raw.index(f"{name.replace('_', '-')}: ".encode())
    end = raw.index(b"\n", start)
    await desk.gmail.import_mail(raw[:start] + f"{name.replace('_', '-')}: {value}".encode() + raw[end:])
    await desk.receive(make_mail())
    assert await desk.sql("select verdict from mails order by created_at desc limit 1") == "customer"
    assert await desk.sql("select count(*) from mails") == 2


async def test_a_mail_gmail_does_not_give_out_holds_up_no_other(desk: MailDesk) -> None:
    await desk.gmail.import_mail(make_mail("First"))
    await desk.gmail.import_mail(make_mail("Second"))
    desk.gmail.knobs.script["messages.get"] = ["refuse_400"]
    await desk.sync()
    assert await desk.sql("select array_agg(verdict order by created_at) from mails") == ["parked", "customer"]


async def test_a_draft_that_somebody_deleted_is_not_called_sent(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    desk.gmail.knobs.script["drafts.send"] = ["quota_429"]
    await desk.deliver()
    draft = await desk.sql("select draft_id from messages where draft_id is not null")
    await desk.gmail.proxy.ask("DELETE", f"drafts/{draft}")
    for _ in range(3):
        await desk.deliver()
    assert await desk.sql("select delivery from messages where author = 'agent'") == "unknown"
    assert await desk.sql("select waits_for from waiting_customers") == "delivery"
    assert desk.gmail.journal.sent == []


async def test_who_forges_an_address_does_not_speak_in_its_owners_conversation(desk: MailDesk) -> None:
    mail = await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    forged = make_mail("Thanks, solved!", answers=f"<{read_head(mail.raw).message_id}>").replace(
        b"dmarc=pass", b"dmarc=fail"
    )
    await desk.receive(forged)
    await desk.turn(reply_with("Good."))
    assert await desk.sql("select count(*) from conversations") == 2
    assert await desk.sql("select status from conversations where trust > 0") != "resolved"


async def test_who_forges_an_address_does_not_get_in_by_naming_a_mail_of_ours(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    [answer] = desk.gmail.journal.sent
    forged = make_mail("Thanks, solved!", answers=f"<{answer.message_id}>").replace(b"dmarc=pass", b"dmarc=fail")
    await desk.receive(forged)
    await desk.turn(reply_with("Good."))
    assert await desk.sql("select count(*) from conversations") == 2
    assert await desk.sql("select status from conversations where trust > 0") != "resolved"


async def test_a_bounce_about_somebody_it_was_passed_on_to_fails_nothing(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    [answer] = desk.gmail.journal.sent
    await desk.receive(make_bounce(answer.message_id or "", "bob@elsewhere.example", has_original=True))
    assert await desk.sql("select delivery from messages where direction = 'outbound'") == "sent"


async def test_an_answer_goes_to_the_address_that_wrote(desk: MailDesk) -> None:
    await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    await desk.sql(
        "insert into customer_identifiers (kind, value, customer_id, proof, proven_at) "
        "select 'email', 'other@example.com', customer_id, 'otp', now() from conversations"
    )
    await desk.deliver()
    assert [sent.to for sent in desk.gmail.journal.sent] == ["ana@example.com"]


async def test_nobody_is_greeted_with_a_strangers_link(desk: MailDesk) -> None:
    await desk.sql("update channel_configs set greeting = 'Hello {name},' where channel = 'gmail'")
    await desk.receive(make_mail(sender='"https://evil.example/win Now" <ana@example.com>'))
    await desk.turn(reply_with("Here is how."))
    await desk.deliver()
    assert b"evil" not in desk.gmail.journal.sent[0].raw


async def test_the_greeting_is_in_the_language_of_the_reply(desk: MailDesk) -> None:
    await desk.receive(make_mail("Wie exportiere ich ein Board? Ich finde es nicht in den Einstellungen."))
    await desk.turn(reply_with("Vielen Dank für Ihre Nachricht, wir sehen uns das an.", language="de"))
    await desk.deliver()
    assert b"Hallo Ana," in desk.gmail.journal.sent[0].raw


async def test_whoever_asks_why_a_mail_got_no_answer_finds_it_in_the_log(desk: MailDesk) -> None:
    mail = await desk.receive(make_mail(Precedence="bulk"))
    row = await desk.conn.fetchrow("select id, verdict, why, bytes > 0 as is_kept from mail_log")
    assert row is not None
    assert tuple(row) == (mail.id, "robot", "Precedence: bulk", True)


async def test_a_mail_that_two_workers_read_at_once_counts_once(desk: MailDesk) -> None:
    mail = await desk.receive(make_mail())
    await desk.turn(reply_with("Here is how."))
    typed = await desk.gmail.type_reply(mail.thread_id, "Jane here: like this.")
    box = await load_mailbox(desk.conn)
    row = await desk.syncing.read(box, typed.id)
    for _ in range(2):
        await desk.syncing.store(box, row, None)
    assert await desk.sql("select count(*) from messages where author = 'person'") == 1
