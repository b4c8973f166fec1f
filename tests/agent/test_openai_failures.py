"""What a provider's failures amount to, on both wires."""

from datetime import timedelta

import httpx2
import pytest

from agent.models.base import ModelFailure, Reasoning, Text
from agent.models.openai import Wire
from tests.agent.samples import WIRES, ask, chat_reply, refuse, responses_reply, said, serve

both = pytest.mark.parametrize("wire", WIRES)
JSON = {"content-type": "application/json"}


async def fail(wire: Wire, *answers: httpx2.Response | Exception) -> ModelFailure:
    """The failure of one request that must not be tried twice."""
    model, server = serve(wire, *answers)
    with pytest.raises(ModelFailure) as caught:
        await model.reply(ask())
    assert len(server.seen) == 1
    return caught.value


@both
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refuse(401, message="Incorrect API key", code="invalid_api_key"), "unauthorised"),
        (refuse(402, message="Insufficient credits"), "quota"),
        (refuse(403, message="Country not supported"), "unauthorised"),
        (refuse(403, message="Your input was flagged"), "refused"),
        (refuse(404, message="The model does not exist", code="model_not_found"), "unauthorised"),
        (refuse(408, message="Request timeout"), "unavailable"),
        (refuse(413, message="Request too large"), "context_too_long"),
        (refuse(429, message="Slow down", code="rate_limit_exceeded"), "rate_limited"),
        (refuse(429, message="No more money", code="insufficient_quota", type="insufficient_quota"), "quota"),
        (refuse(429, message="You exceeded your current quota"), "quota"),
        (refuse(500, message="Server error"), "unavailable"),
        (refuse(503, message="Overloaded"), "unavailable"),
        (httpx2.Response(502, html="<h1>Bad gateway</h1>"), "unavailable"),
        (httpx2.Response(307, headers={"location": "http://other.test/"}), "malformed"),
        (refuse(400, message="Too long", code="context_length_exceeded", param="messages"), "context_too_long"),
        (refuse(400, message="This model's maximum context length is 8192 tokens"), "context_too_long"),
        (refuse(400, message="the request exceeds the available context size"), "context_too_long"),
        (refuse(400, message="Invalid prompt", code="invalid_prompt"), "refused"),
        (refuse(400, message="Invalid value", param="messages[0].name"), "malformed"),
        (refuse(400, message="Missing include", param="model"), "malformed"),
        (httpx2.Response(200, json={"error": {"message": "boom"}}), "malformed"),
        (httpx2.Response(200, json={"error": {"message": "slow", "code": 429}}), "rate_limited"),
        (httpx2.Response(200, json={"error": {"message": "down", "code": "server_error"}}), "unavailable"),
        (httpx2.Response(200, json={"error": "boom"}), "malformed"),
        (httpx2.Response(200, json={"choices": None, "output": None}), "malformed"),
        (httpx2.Response(200, json={"choices": [], "output": []}), "malformed"),
        (httpx2.Response(200, json=["what"]), "malformed"),
        (httpx2.Response(200, headers=JSON, content=b'{"choices": [{'), "malformed"),
        (httpx2.Response(200, headers=JSON, content=b""), "malformed"),
        (httpx2.Response(200, headers=JSON, content=b"\xff\xfe{"), "malformed"),
        (httpx2.ConnectError("refused"), "unavailable"),
        (httpx2.ConnectTimeout("no route"), "unavailable"),
        (httpx2.ReadTimeout("slow"), "timeout"),
        (httpx2.RemoteProtocolError("closed early"), "unavailable"),
    ],
)
async def test_failure_of_the_provider_has_one_name_and_no_second_try(
    wire: Wire, answer: httpx2.Response | Exception, code: str
) -> None:
    assert (await fail(wire, answer)).code == code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (chat_reply({"content": "cut"}, finish_reason="length"), "truncated"),
        (chat_reply({"content": None}, finish_reason="content_filter"), "refused"),
        (chat_reply({"content": None, "refusal": "I can't"}), "refused"),
        (chat_reply({"content": None}, finish_reason="error"), "unavailable"),
        (chat_reply({"content": "  "}), "malformed"),
        (httpx2.Response(200, json={"choices": [{"finish_reason": "stop", "message": None}]}), "malformed"),
    ],
)
async def test_unfinished_chat_reply_is_no_answer(answer: httpx2.Response, code: str) -> None:
    assert (await fail("chat", answer)).code == code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (responses_reply([], status="incomplete", incomplete_details={"reason": "max_output_tokens"}), "truncated"),
        (responses_reply([], status="incomplete", incomplete_details={"reason": "content_filter"}), "refused"),
        (responses_reply([{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]), "refused"),
        (responses_reply([], status="failed"), "unavailable"),
        (responses_reply([{"type": "reasoning", "encrypted_content": "x"}]), "malformed"),
    ],
)
async def test_unfinished_responses_reply_is_no_answer(answer: httpx2.Response, code: str) -> None:
    assert (await fail("responses", answer)).code == code


DATE = "Sat, 21 Nov 2026 12:00:00 GMT"


@both
@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, "", 1.5),
        ({"retry-after": "2"}, "try again in 7s", 2),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT", "date": DATE}, "", 30),
        ({"retry-after": "Sat, 21 Nov 2026 11:59:00 GMT", "date": DATE}, "", 0),
        ({"retry-after": "99999999"}, "", 86400),
        ({}, "Please try again in 5.289s.", 5.289),
        ({}, "Please try again in 320ms", 0.32),
        ({}, "Please try again in 1h2m3.5s", 3723.5),
        ({"retry-after": "soon"}, "", None),
        ({"retry-after": "nan"}, "try again in a while", None),
    ],
)
async def test_rate_limit_carries_the_wait_the_provider_asks_for(
    wire: Wire, headers: dict[str, str], message: str, seconds: float | None
) -> None:
    failure = await fail(wire, refuse(429, headers, message=message))
    assert failure.code == "rate_limited"
    assert failure.retry_after == (None if seconds is None else timedelta(seconds=seconds))


async def test_an_overloaded_server_may_ask_for_a_wait_too() -> None:
    failure = await fail("chat", refuse(503, {"retry-after": "4"}, message="busy"))
    assert failure.retry_after == timedelta(seconds=4)


async def test_a_long_complaint_is_cut() -> None:
    assert len(str(await fail("chat", refuse(400, message="x" * 5000)))) < 400


OPTIONAL = [
    ("responses", {"param": "parallel_tool_calls", "message": "Unknown"}, "parallel_tool_calls"),
    ("responses", {"param": "tool_choice", "message": "Unknown"}, "tool_choice"),
    ("responses", {"param": "include", "message": "Encrypted content is not supported with this model."}, "include"),
    ("responses", {"param": "include[0]", "message": "Unknown"}, "include"),
    ("responses", {"param": "max_output_tokens", "message": "Unknown"}, "max_output_tokens"),
    ("chat", {"message": "property 'parallel_tool_calls' is unsupported"}, "parallel_tool_calls"),
    ("chat", {"param": "tool_choice", "message": "only auto"}, "tool_choice"),
    ("chat", {"param": "max_completion_tokens", "message": "Use 'max_tokens' instead"}, "max_completion_tokens"),
]


@pytest.mark.parametrize(("wire", "error", "feature"), OPTIONAL)
@pytest.mark.parametrize("status", [400, 422])
async def test_optional_feature_the_server_names_is_dropped_once_and_for_good(
    wire: Wire, error: dict[str, str], feature: str, status: int
) -> None:
    model, server = serve(wire, refuse(status, **error), said(wire))
    await model.reply(ask(must_call_tool=True))
    await model.reply(ask(must_call_tool=True))
    assert [feature in body for body in server.bodies] == [True, False, False]
    assert model.dropped == {feature}


@both
@pytest.mark.parametrize("error", [{"param": "tools[0].function.strict"}, {"param": "tools", "message": "strict?"}])
async def test_strict_schemas_are_given_up_where_they_are_not_known(wire: Wire, error: dict[str, str]) -> None:
    model, server = serve(wire, refuse(400, **error), said(wire))
    await model.reply(ask())
    first, second = (request.content for request in server.seen)
    assert (b'"strict":true' in first, b'"strict"' in second) == (True, False)


async def test_older_server_gets_the_older_name_of_the_token_limit_and_then_none() -> None:
    newer, older = refuse(400, param="max_completion_tokens"), refuse(400, param="max_tokens")
    model, server = serve("chat", newer, older, said("chat"))
    with pytest.raises(ModelFailure, match="400"):
        await model.reply(ask())
    await model.reply(ask())
    limits = [next((name for name in body if name.startswith("max_")), None) for body in server.bodies]
    assert limits == ["max_completion_tokens", "max_tokens", None]


async def test_without_encrypted_reasoning_none_is_replayed() -> None:
    model, server = serve("responses", refuse(400, param="input[1].encrypted_content"), said("responses"))
    ours = Reasoning("model.test/gpt-test", {"encrypted_content": "sealed"})
    await model.reply(ask(Text("user", "Hi"), ours, Text("assistant", "Hello")))
    assert [len(body["input"]) for body in server.bodies] == [3, 2]


@both
async def test_second_complaint_in_one_call_is_a_failure_but_remembered(wire: Wire) -> None:
    no_parallel, no_choice = refuse(400, param="parallel_tool_calls"), refuse(400, param="tool_choice")
    model, server = serve(wire, no_parallel, no_choice, said(wire))
    with pytest.raises(ModelFailure) as caught:
        await model.reply(ask(must_call_tool=True))
    assert (caught.value.code, len(server.seen)) == ("malformed", 2)
    await model.reply(ask(must_call_tool=True))
    assert len(server.seen) == 3


@both
async def test_complaint_about_a_feature_that_was_not_sent_is_a_plain_failure(wire: Wire) -> None:
    assert (await fail(wire, refuse(400, param="tool_choice", message="Unknown"))).code == "malformed"
