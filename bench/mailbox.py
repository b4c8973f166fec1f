"""A mailbox with a history: from Gmail's pages to stored rows, against a Gmail that answers at once."""

import asyncio
import time
from datetime import timedelta
from email.message import EmailMessage

from app.settings import read_settings
from bench.ground import SECRET, fresh_pool
from bench.report import Report
from channels.gmail_api import open_gmail_api
from tests.stand_ins.gmail import Gmail, running_gmail
from tests.stand_ins.node_package import NotInstalled
from worker.completer import Completer
from worker.jobs.gmail_sync import GmailSync

CASE = "history of {count:,} messages"
PAGE = 100
AT_ONCE = 8


async def measure_history(report: Report, *, count: int) -> None:
    """Messages a second, fetched, read, judged and committed; where there is no Node, a note instead."""
    try:
        async with running_gmail() as gmail, fresh_pool(4) as pool:
            gmail.knobs.page_size = PAGE
            account = read_settings({"APP_SECRET": SECRET, **gmail.environment}).gmail_account
            if account is None:
                raise RuntimeError("the stand-in gives no account")
            async with open_gmail_api(account) as api:
                syncing = GmailSync(pool, Completer(pool), api, timedelta(0), "TF")
                await syncing.sync()
                await fill(gmail, count)
                began = time.perf_counter()
                await syncing.sync()
                seconds = time.perf_counter() - began
            stored = await pool.fetchval("select count(*) from mails where verdict = 'customer'")
            queued = await pool.fetchval("select count(*) from message_queue where kind = 'inbound'")
    except NotInstalled as error:
        report.notes.append(str(error))
        return
    report.add(CASE.format(count=count), "stored", count / seconds, "messages/s")
    if (stored, queued) != (count, count):
        report.broken_laws.append(f"{count} messages came, {stored} were stored and {queued} queued")


async def fill(gmail: Gmail, count: int) -> None:
    left = iter(range(count))

    async def send() -> None:
        for number in left:
            mail = EmailMessage()
            mail["From"], mail["To"] = f"Customer <c{number}@example.com>", gmail.address
            mail["Subject"], mail["Message-ID"] = "A question", f"<{number}@example.com>"
            mail.set_content("How do I export a board to a spreadsheet?\n" * 20)
            await gmail.import_mail(mail.as_bytes())

    await asyncio.gather(*(send() for _ in range(AT_ONCE)))
