import pytest

from agent.models.base import Model, ModelFailure, ModelReply, Text, ToolCall, Usage
from agent.models.scripted import ScriptedModel
from tests.agent.samples import ask

CALL = ToolCall("c1", "send_response", "{}")


async def test_replies_come_in_order_and_requests_are_kept() -> None:
    model = ScriptedModel([[CALL], lambda request: [Text("assistant", request.instructions)]])
    first, second = ask(), ask(must_call_tool=True)
    assert (await model.reply(first)).items == (CALL,)
    assert await model.reply(second) == ModelReply("scripted", (Text("assistant", "Be kind."),))
    assert model.requests == [first, second]


async def test_whole_reply_is_given_as_it_stands() -> None:
    reply = ModelReply("gpt-test", (CALL,), Usage(10, 2), "req_1")
    assert await ScriptedModel([reply]).reply(ask()) is reply


async def test_failure_in_the_script_is_raised_and_the_script_goes_on() -> None:
    model = ScriptedModel([ModelFailure("rate_limited", "slow down"), [CALL]])
    with pytest.raises(ModelFailure, match="slow down"):
        await model.reply(ask())
    assert (await model.reply(ask())).items == (CALL,)


async def test_after_the_last_reply_the_model_is_unavailable() -> None:
    model: Model = ScriptedModel([])
    with pytest.raises(ModelFailure) as caught:
        await model.reply(ask())
    assert (caught.value.code, model.name) == ("unavailable", "scripted")
