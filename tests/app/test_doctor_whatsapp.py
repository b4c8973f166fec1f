"""doctor says what is wrong at Twilio's side and what to do about it, whatever Twilio answers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from app.findings import Finding
from app.settings import Settings, read_settings
from app.whatsapp_checks import SANDBOX, check_whatsapp
from tests.app.test_command_line import run
from tests.channels.twilio import ENVIRON, PUBLIC
from tests.channels.twilio_records import Records, running_records, say

NUMBER = "+15550001111"
TEMPLATE = "HX00000000000000000000000000000001"
WEBHOOK = f"{PUBLIC}/webhooks/whatsapp"


def make_sender(number: str = NUMBER, status: str = "ONLINE", **webhook: Any) -> dict[str, Any]:
    urls = {"callback_url": WEBHOOK, "callback_method": "POST", "fallback_url": WEBHOOK} | webhook
    return {"sid": "XE1", "sender_id": f"whatsapp:{number}", "status": status, "offline_reasons": None, "webhook": urls}


@pytest.fixture
async def twilio() -> AsyncIterator[Records]:
    """An account where everything is as it should be."""
    async with running_records() as records:
        records.senders = [make_sender("+15550002222") | {"sid": "XE2"}, make_sender()]
        records.approvals = {TEMPLATE: {"status": "approved", "rejection_reason": ""}}
        yield records


def make_settings(url: str, **environ: str) -> Settings:
    given = {"APP_SECRET": "for-tests", **ENVIRON, "TWILIO_WHATSAPP_FROM": NUMBER, "TWILIO_TEMPLATE_SID": TEMPLATE}
    return read_settings(given | {"TWILIO_API_BASE": url} | environ)


async def look(twilio: Records, **environ: str) -> list[Finding]:
    settings = make_settings(twilio.url, **environ)
    assert settings.whatsapp_account is not None
    return [finding async for finding in check_whatsapp(settings, settings.whatsapp_account)]


async def find_trouble(twilio: Records, **environ: str) -> tuple[str, str]:
    """The one finding that is not ok: its state and its text."""
    [found] = [finding for finding in await look(twilio, **environ) if finding.state != "ok"]
    return found.state, found.text


async def test_what_is_well_is_said_to_be(twilio: Records) -> None:
    findings = await look(twilio)
    assert {finding.state for finding in findings} == {"ok"}
    text = "\n".join(finding.text for finding in findings)
    for named in ("account is active", f"{NUMBER} is online", WEBHOOK, f"{TEMPLATE} is approved"):
        assert named in text


async def test_wrong_credentials_are_bad_and_not_shown(twilio: Records) -> None:
    state, text = await find_trouble(twilio, TWILIO_AUTH_TOKEN="hidden-and-wrong")
    assert (state, "TWILIO_AUTH_TOKEN" in text, "hidden" in text) == ("bad", True, False)
    assert len(twilio.asked) == 1


async def test_the_command_says_it_too(twilio: Records, database_url: str) -> None:
    twilio.senders = []
    given = {"TWILIO_WHATSAPP_FROM": NUMBER, "TWILIO_TEMPLATE_SID": TEMPLATE, "TWILIO_API_BASE": twilio.url}
    code, output, errors = await run("doctor", DATABASE_URL=database_url, APP_SECRET="for-tests", **(ENVIRON | given))
    assert (code, errors) == (1, "")
    assert f"bad  {NUMBER} is no WhatsApp sender of this account" in output
    assert f"ok   the template {TEMPLATE} is approved" in output


@pytest.mark.parametrize("fault", [say(500, 20500), say(502), say(429, 20429), say(200), JSONResponse([])])
async def test_twilio_that_is_down_is_no_fault_of_ours(twilio: Records, fault: Response) -> None:
    twilio.faults[".json"] = fault
    state, text = await find_trouble(twilio)
    assert (state, "cannot be asked now" in text) == ("warn", True)


async def test_twilio_that_cannot_be_reached_is_no_fault_of_ours() -> None:
    state, text = await find_trouble(Records(url="http://127.0.0.1:1"))
    assert (state, "ConnectError" in text) == ("warn", True)


@pytest.mark.parametrize("ending", ["/Senders", "/XE1", "/ApprovalRequests"])
async def test_one_answer_that_is_missing_costs_only_its_own_finding(twilio: Records, ending: str) -> None:
    for fault in (say(500), say(401, 20003), say(403)):
        twilio.faults[ending] = fault
        state, text = await find_trouble(twilio)
        assert (state, "does not say" in text) == ("warn", True)


@pytest.mark.parametrize("status", ["suspended", "closed"])
async def test_account_that_is_not_active_is_bad(twilio: Records, status: str) -> None:
    twilio.account["status"] = status
    state, text = await find_trouble(twilio)
    assert (state, status in text) == ("bad", True)


async def test_unknown_account_is_bad(twilio: Records) -> None:
    twilio.faults[".json"] = say(404, 20404)
    state, text = await find_trouble(twilio)
    assert (state, "TWILIO_ACCOUNT_SID" in text) == ("bad", True)


async def test_number_that_is_no_sender_is_bad(twilio: Records) -> None:
    twilio.senders = twilio.senders[:1]
    state, text = await find_trouble(twilio)
    assert (state, "TWILIO_WHATSAPP_FROM" in text) == ("bad", True)


async def test_sandbox_is_set_by_hand(twilio: Records) -> None:
    state, text = await find_trouble(twilio, TWILIO_WHATSAPP_FROM=SANDBOX)
    assert (state, "Sandbox settings" in text, WEBHOOK in text) == ("warn", True, True)


async def test_number_in_another_spelling_is_bad(twilio: Records) -> None:
    twilio.senders = [make_sender("+525512345678")]
    state, text = await find_trouble(twilio, TWILIO_WHATSAPP_FROM="+5215512345678")
    assert (state, "to exactly that" in text, "+525512345678" in text) == ("bad", True, True)


@pytest.mark.parametrize(
    ("status", "state"), [("OFFLINE", "bad"), ("SUSPENDED", "bad"), ("CREATING", "warn"), ("TWILIO_REVIEW", "warn")]
)
async def test_sender_that_is_not_online_says_why(twilio: Records, status: str, state: str) -> None:
    reasons = [{"code": "63100", "message": "display name"}, "no payment method"]
    twilio.senders = [make_sender(status=status) | {"offline_reasons": reasons}]
    found, text = await find_trouble(twilio)
    assert (found, status in text, "63100 display name; no payment method" in text) == (state, True, True)


@pytest.mark.parametrize(
    ("webhook", "state", "said"),
    [
        ({"callback_url": "https://old.example/webhooks/whatsapp"}, "bad", "https://old.example"),
        ({"callback_url": WEBHOOK + "/"}, "bad", WEBHOOK),
        ({"callback_url": None}, "warn", "every two minutes"),
        ({"callback_method": "GET"}, "bad", "POST"),
        ({"fallback_url": None}, "warn", "fallback"),
        ({"fallback_url": "https://old.example/"}, "warn", "fallback"),
    ],
)
async def test_webhook_that_is_not_ours_is_said_with_the_one_that_is(
    twilio: Records, webhook: dict[str, Any], state: str, said: str
) -> None:
    twilio.senders = [make_sender(**webhook)]
    found, text = await find_trouble(twilio)
    assert (found, said in text) == (state, True)


async def test_retry_policy_behind_the_webhook_is_fine(twilio: Records) -> None:
    twilio.senders = [make_sender(callback_url=WEBHOOK + "#rc=3&rp=all")]
    assert {finding.state for finding in await look(twilio)} == {"ok"}


@pytest.mark.parametrize(
    ("approval", "state", "said"),
    [
        ({"status": "rejected", "rejection_reason": "INVALID_FORMAT"}, "bad", "INVALID_FORMAT"),
        ({"status": "pending"}, "warn", "pending"),
        ({"status": "paused"}, "warn", "paused"),
        ({}, "bad", "not submitted"),
    ],
)
async def test_template_that_is_not_approved_is_said(
    twilio: Records, approval: dict[str, str], state: str, said: str
) -> None:
    twilio.approvals[TEMPLATE] = approval
    found, text = await find_trouble(twilio)
    assert (found, said in text) == (state, True)


async def test_unknown_template_is_bad(twilio: Records) -> None:
    twilio.approvals = {}
    state, text = await find_trouble(twilio)
    assert (state, "TWILIO_TEMPLATE_SID" in text) == ("bad", True)


async def test_without_a_template_none_is_asked_for(twilio: Records) -> None:
    state, text = await find_trouble(twilio, TWILIO_TEMPLATE_SID="")
    assert (state, "replies after 24 hours" in text) == ("off", True)
    assert not [path for path in twilio.asked if "Content" in path]


async def test_public_address_without_https_deserves_a_look(twilio: Records) -> None:
    base = PUBLIC.replace("https", "http")
    url = f"{base}/webhooks/whatsapp"
    twilio.senders = [make_sender(callback_url=url, fallback_url=url)]
    state, text = await find_trouble(twilio, PUBLIC_BASE_URL=base)
    assert (state, "not https" in text) == ("warn", True)
