"""After the customer's 24 hours: the approved template or nothing, never plain text."""

import json
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from channels.base import OutgoingMessage, Refused
from channels.whatsapp import NO_FIT, NO_TEMPLATE, TEMPLATE_TEXT
from tests.channels.twilio_server import MESSAGE, answering, keep_no_draft, say

TEMPLATE = "HX00000000000000000000000000000001"
LATE = replace(MESSAGE, body='Hi Ana,\n\nyour "order"\thas     left. 😀\r\n', is_late=True)
ON_ONE_LINE = 'Hi Ana, your "order" has left. 😀'


async def send_late(message: OutgoingMessage, template_sid: str | None = TEMPLATE) -> dict[str, str]:
    """The form that Twilio got; an empty one when it was not asked."""
    async with answering(say(201, {"sid": "SM9"}), template_sid) as (twilio, channel):
        await channel.send(message, keep_no_draft)
    return dict(parse_qsl(twilio.requests[0][2], strict_parsing=True))


async def test_what_is_late_goes_as_the_one_variable_of_the_template_on_one_line() -> None:
    form = await send_late(LATE)
    assert (form["ContentSid"], "Body" in form) == (TEMPLATE, False)
    assert json.loads(form["ContentVariables"]) == {"1": ON_ONE_LINE}


async def test_what_is_not_late_goes_as_it_is_also_where_there_is_a_template() -> None:
    form = await send_late(MESSAGE)
    assert (form["Body"], "ContentSid" in form) == (MESSAGE.body, False)


@pytest.mark.parametrize(
    ("message", "template_sid", "reason"),
    [
        (LATE, None, NO_TEMPLATE),
        (replace(LATE, parts=2), TEMPLATE, NO_FIT),
        (replace(LATE, parts=2, part=2), TEMPLATE, NO_FIT),
        (replace(LATE, body="😀" * (TEMPLATE_TEXT // 2) + "."), TEMPLATE, NO_FIT),
    ],
)
async def test_what_is_late_and_fits_no_template_is_refused_without_asking_twilio(
    message: OutgoingMessage, template_sid: str | None, reason: str
) -> None:
    async with answering(None, template_sid) as (twilio, channel):
        with pytest.raises(Refused) as caught:
            await channel.send(message, keep_no_draft)
    assert (str(caught.value), twilio.requests) == (reason, [])


async def test_template_takes_what_just_fits() -> None:
    body = "a" * TEMPLATE_TEXT
    assert json.loads((await send_late(replace(LATE, body=body)))["ContentVariables"]) == {"1": body}
