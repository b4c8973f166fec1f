"""Emulate's Twilio: a vendor that nobody here wrote, so that what we take Twilio's wire to be is not only our own word.

In a test: the fixture `twilio`; send to twilio.url, then twilio.write(...), twilio.report(...), twilio.list_sent().
It signs what it posts. What it lacks, the stand-in in vendor.py has: names, media, 63016, 429, lost connections.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

from tests.stand_ins.emulator import Emulator
from tests.stand_ins.http import Answer, call
from tests.stand_ins.webhooks import ACCOUNT, INBOUND_PATH, NUMBER, TOKEN

SENDER = "PN00000000000000000000000000000002"
TWILIO = {
    "service": "twilio",
    "seed": {
        "twilio": {
            "account": {"sid": ACCOUNT, "auth_token": TOKEN},
            "phone_numbers": [{"sid": SENDER, "phone_number": f"whatsapp:{NUMBER}"}],
        }
    },
}
API = f"/2010-04-01/Accounts/{ACCOUNT}"
AUTHORIZATION = {"Authorization": "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()}
ROW = re.compile(r"<tr>(?:<td>([^<]*)</td>)(?:<td>[^<]*</td>)(?:<td>([^<]*)</td>)")


class Twilio:
    """One account with one number, ACCOUNT and NUMBER, whose token is TOKEN."""

    def __init__(self, emulator: Emulator) -> None:
        self.url = emulator.url

    async def point_at(self, public_url: str) -> None:
        """From now on post customers' messages to this PUBLIC_BASE_URL."""
        await self.ask("POST", f"{API}/IncomingPhoneNumbers/{SENDER}.json", {"SmsUrl": public_url + INBOUND_PATH})

    async def write(self, sender: str, body: str) -> str:
        """A customer's message, posted and answered by the time this returns; gives its SID."""
        form = {"From": f"whatsapp:{sender}", "To": f"whatsapp:{NUMBER}", "Body": body}
        answer = await self.ask("POST", "/_twilio/simulate/inbound-message", form)
        return str(answer.read_json()["sid"])

    async def report(self, sid: str, status: str) -> None:
        """A message of ours gets this status, and its callback is posted and answered."""
        await self.ask("POST", "/_twilio/simulate/message-status", {"MessageSid": sid, "Status": status})

    async def list_sent(self) -> list[dict[str, Any]]:
        """What it took from us, oldest first, as its API shows it."""
        listed = (await self.ask("GET", f"{API}/Messages.json?PageSize=1000")).read_json()["messages"]
        return [one for one in reversed(listed) if one["direction"] == "outbound-api"]

    async def list_answers(self, occasion: str) -> list[str]:
        """The status codes its posts were answered with, oldest first. occasion: message.inbound, message.sent, ..."""
        page = (await self.ask("GET", "/?tab=webhooks")).body.decode()
        return [status for name, status in reversed(ROW.findall(page)) if name == occasion]

    async def ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Answer:
        answer = await call(method, self.url + path, headers=AUTHORIZATION, form=form)
        if answer.status >= 400:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.body.decode()}")
        return answer
