"""The stand-in is as strict as Twilio and WhatsApp are: what they would not take or deliver, it does not."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

import pytest

from tests.stand_ins.http import Answer, call
from tests.stand_ins.journal import Knobs
from tests.stand_ins.vendor import Vendor, running_vendor, serving
from tests.stand_ins.webhooks import ACCOUNT, NUMBER, TOKEN

CUSTOMER = "+4915112345678"
AUTH = {"Authorization": "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()}
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
TEMPLATE = "HX1"
TEMPLATES = {TEMPLATE: "Hello, here is your answer: {{1}} Write to us again."}


async def send(vendor: Vendor, **fields: str) -> Answer:
    form = {"To": f"whatsapp:{CUSTOMER}", "From": f"whatsapp:{NUMBER}"} | fields
    return await call("POST", vendor.url + MESSAGES, headers=AUTH, form=form)


def fill_in(text: object) -> dict[str, str]:
    return {"ContentSid": TEMPLATE, "ContentVariables": json.dumps({"1": text})}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Body": "a" * 1600}, None),
        ({"Body": "a" * 1601}, 21617),
        ({"Body": "😀" * 801}, 21617),
        ({"Body": ""}, 21602),
        ({"Body": "Hello", "From": "+15550001111"}, 21603),
        ({"Body": "Hello", "To": "somebody"}, 21211),
        (fill_in("Soon."), None),
        (fill_in("a    b"), None),
        (fill_in("a     b"), 21656),
        (fill_in("a\nb"), 21656),
        (fill_in("a\tb"), 21656),
        (fill_in(""), 21656),
        ({"ContentSid": TEMPLATE}, 21656),
        ({"ContentSid": TEMPLATE, "ContentVariables": "{"}, 21656),
        ({"ContentSid": "HX2", "ContentVariables": "{}"}, 21655),
        (fill_in("a" * 1601), 21658),
        (fill_in("a" * 1000), 63021),
    ],
)
async def test_form_is_refused_with_the_code_that_twilio_has_for_it(fields: dict[str, str], code: int | None) -> None:
    async with running_vendor(knobs=Knobs(templates=TEMPLATES)) as vendor:
        answer = await send(vendor, **fields)
        assert (answer.status, answer.read_json().get("code")) == ((201, None) if code is None else (400, code))
        assert len(vendor.journal.accepted) == (code is None)


async def test_template_is_listed_as_the_customer_reads_it() -> None:
    async with running_vendor(knobs=Knobs(templates=TEMPLATES)) as vendor:
        await send(vendor, **fill_in("Soon."))
        listed = (await call("GET", vendor.url + MESSAGES, headers=AUTH)).read_json()["messages"]
        assert [one["body"] for one in listed] == ["Hello, here is your answer: Soon. Write to us again."]
        assert vendor.journal.accepted[0].send.template_sid == TEMPLATE


@pytest.mark.parametrize("code", [21610, 63018])
async def test_number_in_the_knob_is_refused_and_others_are_not(code: int) -> None:
    async with running_vendor(knobs=Knobs(refused_to={CUSTOMER: code})) as vendor:
        assert (await send(vendor, Body="Hello")).read_json()["code"] == code
        assert (await send(vendor, Body="Hello", To="whatsapp:+4915100000000")).status == 201


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, "asyncio.Queue[dict[str, str]]"]]:
    """Where reports go: an origin, and the forms in the order they came."""
    got: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def app(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part["body"], part.get("more_body", False)
        got.put_nowait(dict(parse_qsl(body.decode())))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(app) as origin:
        yield origin, got


async def test_free_text_outside_the_window_is_taken_and_reported_as_undelivered() -> None:
    knobs = Knobs(outside_window=[CUSTOMER], callbacks=["delivered"], templates=TEMPLATES)
    async with listening() as (origin, got), running_vendor(knobs=knobs) as vendor, asyncio.timeout(10):
        assert (await send(vendor, Body="Hello", StatusCallback=f"{origin}/")).status == 201
        first, second = await got.get(), await got.get()
        assert [(one["MessageStatus"], one.get("ErrorCode")) for one in (first, second)] == [
            ("sent", None),
            ("undelivered", "63016"),
        ]
        assert (await send(vendor, **fill_in("Soon."), StatusCallback=f"{origin}/")).status == 201
        assert (await got.get())["MessageStatus"] == "delivered"


async def test_free_text_outside_the_window_is_refused_at_once_where_the_knob_says_so() -> None:
    knobs = Knobs(outside_window=[CUSTOMER], window_refuses_at_once=True, templates=TEMPLATES)
    async with running_vendor(knobs=knobs) as vendor:
        assert (await send(vendor, Body="Hello")).read_json()["code"] == 63016
        assert (await send(vendor, **fill_in("Soon."))).status == 201


async def test_report_of_a_failure_names_its_code() -> None:
    knobs = Knobs(callbacks=["sent", "failed"], callback_error_code=63032)
    async with listening() as (origin, got), running_vendor(knobs=knobs) as vendor, asyncio.timeout(10):
        await send(vendor, Body="Hello", StatusCallback=f"{origin}/")
        assert "ErrorCode" not in await got.get()
        assert (await got.get())["ErrorCode"] == "63032"


async def test_429_says_how_long_to_wait() -> None:
    async with running_vendor(knobs=Knobs(script=["refuse_429"], retry_after_seconds=7)) as vendor:
        answer = await send(vendor, Body="Hello")
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
