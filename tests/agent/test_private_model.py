"""What leaves for a provider and what does not: personal data, keys, and words after a redirect."""

import json
import logging
from dataclasses import replace

import httpx2
import openai
import pytest

from agent.embeddings import OpenAIEmbedder, PrivateEmbedder, open_openai_embedder
from agent.models.base import Item, ModelFailure, ModelRequest, Reasoning, Text, ToolCall, ToolResult
from agent.models.openai import ModelEndpoint, Wire, open_openai_model
from agent.models.private import PrivateModel, change_json
from agent.privacy import ALWAYS, CONTACTS, Kind, Placeholders
from app.settings import read_settings
from app.wiring import open_embedder, open_models
from db.pool import Pool
from tests.agent.samples import WIRES, ask, called, refuse, said, serve
from tests.agent.test_embeddings import Server as EmbeddingServer

both = pytest.mark.parametrize("wire", WIRES)
ALL = ALWAYS | CONTACTS
CONVERSATION = "0190b2c4-0000-7000-8000-000000000001"
VALUES = (
    "ana@example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "+49 151 12345678", "123-45-6789",
    "sk-abcdefghij1234567890",
)  # fmt: skip
DIGITS = "4111111111111111"
MAIL, CARD, ACCOUNT, PHONE, SSN, KEY = VALUES
TRANSCRIPT: tuple[Item, ...] = (
    Text("user", f'<msg id="m1" from="customer">I am {MAIL}, card {CARD}, {ACCOUNT}, {PHONE}, {SSN}, {KEY}.</msg>'),
    Reasoning("model.test/gpt-test", {"type": "reasoning", "encrypted_content": "sealed"}),
    Text("assistant", f"I write to {MAIL}."),
    ToolCall("a", "search_knowledge_base", json.dumps({"query": f'"{PHONE}" \u00e9\n{MAIL}', "category": None})),
    ToolResult(
        "a", json.dumps({"results": [{"text": f"{CARD}\u00a0\u2014 {SSN}", "score": 0.25, "n": 4111111111111111}]})
    ),
    ToolCall("b", "send_response", f'{{"body": "cut {MAIL} and {CARD}'),
    ToolResult("b", f"no JSON: {ACCOUNT}"),
)


def request(*items: Item) -> ModelRequest:
    return replace(ask(*(items or TRANSCRIPT)), conversation=CONVERSATION)


def placeholder(value: str) -> str:
    """As the model of these tests reads the value."""
    return Placeholders(CONVERSATION, ALL).hide(value)


@both
async def test_no_private_value_leaves_and_what_leaves_is_whole(wire: Wire) -> None:
    model, server = serve(wire, said(wire))
    await PrivateModel(model, ALL).reply(request())
    [body] = server.bodies
    sent = server.seen[0].content.decode()
    for value in VALUES:
        assert value not in sent
        assert value.replace(" ", "").replace("-", "") not in sent.replace(" ", "").replace("-", "")
        assert placeholder(value) in json.dumps(body, ensure_ascii=False)
    assert DIGITS not in sent
    assert CONVERSATION not in sent
    assert body["instructions" if wire == "responses" else "messages"]
    outputs = [json.loads(item.output) for item in TRANSCRIPT if isinstance(item, ToolResult) and item.call_id == "a"]
    assert outputs[0]["results"][0]["score"] == 0.25


@both
async def test_contacts_may_be_let_through_and_cards_never(wire: Wire) -> None:
    model, server = serve(wire, said(wire))
    await PrivateModel(model, ALWAYS).reply(request())
    sent = json.dumps(server.bodies[0], ensure_ascii=False)
    assert (MAIL in sent, PHONE in sent) == (True, True)
    assert not any(value in sent for value in (CARD, ACCOUNT, SSN, KEY))


@both
async def test_values_come_back_whole_in_words_and_in_arguments(wire: Wire) -> None:
    arguments = {"body": f'Écrit à "{placeholder(MAIL)}"\n{placeholder(PHONE)}', "citations": [placeholder(ACCOUNT)]}
    model, _ = serve(wire, called(wire, ("x", "send_response", json.dumps(arguments))))
    reply = await PrivateModel(model, ALL).reply(request())
    [call] = reply.items
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"body": f'Écrit à "{MAIL}"\n{PHONE}', "citations": [ACCOUNT]}
    assert "É" in call.arguments
    talking, _ = serve(wire, said(wire, f"Card {placeholder(CARD)}, key {placeholder(KEY)}, mail {placeholder(MAIL)}"))
    assert (await PrivateModel(talking, ALL).reply(request())).items == (
        Text("assistant", f"Card **** 1111, key [...], mail {MAIL}"),
    )


@both
@pytest.mark.parametrize(
    "spoilt", ["<EMAIL_0000>", "<email_{n}>", "<EMAIL_{n}", "EMAIL_{n}", "< EMAIL_{n}>", "<EMAIL_"]
)
@pytest.mark.parametrize("tool", [True, False])
async def test_an_altered_placeholder_is_a_failure_that_repeats_nothing(wire: Wire, spoilt: str, tool: bool) -> None:
    text = "Write to " + spoilt.format(n=placeholder(MAIL)[7:-1])
    answer = called(wire, ("x", "send_response", json.dumps({"body": text}))) if tool else said(wire, text)
    model, server = serve(wire, answer)
    with pytest.raises(ModelFailure) as failure:
        await PrivateModel(model, ALL).reply(request())
    assert failure.value.code == "altered_placeholder"
    assert "EMAIL" not in str(failure.value).upper()
    assert len(server.seen) == 1


@both
async def test_the_same_transcript_is_sent_in_the_same_bytes_and_grows_only_at_its_end(wire: Wire) -> None:
    model, server = serve(wire, said(wire))
    private = PrivateModel(model, ALL)
    more = Text("user", f"Also ben@example.com and again {MAIL}.")
    for items in (TRANSCRIPT, TRANSCRIPT, (*TRANSCRIPT, more)):
        await private.reply(request(*items))
    first, second, longer = (seen.content for seen in server.seen)
    assert first == second
    cut = first.rindex(b"]")
    assert longer[: cut - 1] == first[: cut - 1] or wire == "responses"
    sent = [body["messages"] if wire == "chat" else body["input"] for body in server.bodies]
    assert sent[2][: len(sent[0])] == sent[0]


@both
async def test_failures_and_facts_of_the_model_within_pass_through(wire: Wire) -> None:
    model, _ = serve(wire, refuse(429, message="slow down"))
    private = PrivateModel(model, ALL)
    assert private.name == "gpt-test"
    with pytest.raises(ModelFailure) as failure:
        await private.reply(request())
    assert failure.value.code == "rate_limited"
    thinking = Reasoning("m", {"summary": [MAIL]})
    seen: list[ModelRequest] = []

    class Within:
        name = "within"

        async def reply(self, request: ModelRequest) -> object:
            seen.append(request)
            raise ModelFailure("refused", "no")

    with pytest.raises(ModelFailure):
        await PrivateModel(Within(), ALL).reply(request(thinking))  # type: ignore[arg-type]
    asked = request(thinking)
    assert seen == [asked], "no text of ours is hidden: not the instructions, not the reasoning, not the brief"


@pytest.mark.parametrize(
    "text",
    ['{"a": "ana@example.com", "a": "x"}', '{"a": "x", "a": "ana@example.com"}', '{"ana@example.com": 1}',
     '["\\ud83d"]',
     "[1e999]", "[NaN]", '{"a": "ana\\u0040example.com"}', "9" * 5000, "[" * 5000, '"ana@example.com'],
)  # fmt: skip
def test_odd_json_is_hidden_too_and_can_be_sent(text: str) -> None:
    hidden = change_json(text, Placeholders("c", ALL).hide)
    assert "ana@example.com" not in hidden
    assert "\\u0040" not in hidden
    hidden.encode()


@pytest.mark.parametrize(("wish", "kinds"), [("on", ALL), ("off", ALWAYS)])
async def test_every_model_and_embedder_behind_a_network_is_wired_to_read_placeholders(
    pool: Pool, wish: str, kinds: frozenset[Kind]
) -> None:
    settings = read_settings(
        {
            "OPENAI_API_KEY": "k", "OPENAI_MODEL": "m", "FALLBACK_BASE_URL": "http://two.test/v1",
            "FALLBACK_MODEL": "n", "HIDE_CONTACTS": wish,
        }
    )  # fmt: skip
    *remote, last = open_models(settings, pool)
    assert [model.kinds for model in remote if isinstance(model, PrivateModel)] == [kinds, kinds]
    assert not isinstance(last, PrivateModel)
    embedder = open_embedder(settings)
    assert isinstance(embedder, PrivateEmbedder)
    assert embedder.kinds == kinds


async def test_what_is_embedded_names_only_kinds() -> None:
    server = EmbeddingServer()
    embedder = PrivateEmbedder(server.open_embedder(), ALL)
    assert (embedder.name, embedder.dimensions) == ("m", 3)
    await embedder.embed([f"Where is the reply to {MAIL}?", f"Card {CARD}"])
    assert server.requests[0]["input"] == ["Where is the reply to <EMAIL>?", "Card <CARD>"]


def move_away(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(307, headers={"location": "http://elsewhere.test/v1/chat/completions"})


async def test_each_provider_sees_its_own_key_alone_and_no_redirect_takes_one_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keys = {"one.test": "key-of-one", "two.test": "key-of-two", "three.test": "key-of-three"}
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        if request.url.host == "one.test":
            return move_away(request)
        if request.url.host == "two.test":
            return httpx2.Response(401, json={"error": {"message": "Incorrect API key provided: key-of-two"}})
        return said("chat")

    caplog.set_level(logging.DEBUG)
    shared = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    failures: list[ModelFailure] = []
    for host, key in keys.items():
        model = open_openai_model(ModelEndpoint(f"http://{host}/v1", key, "m", "chat"), http_client=shared)
        try:
            await PrivateModel(model, ALL).reply(request(Text("user", "Hello")))
        except ModelFailure as failure:
            failures.append(failure)
    await shared.aclose()
    assert [request.url.host for request in seen] == list(keys), "nothing follows the redirect"
    for request_ in seen:
        raw = str(request_.headers.raw) + request_.content.decode() + str(request_.url)
        assert [key for key in keys.values() if key in raw] == [keys[request_.url.host]]
    assert len(failures) == 2
    assert not any(key in f"{failure!r} {failure}" for key in keys.values() for failure in failures)
    assert not any(key in caplog.text for key in keys.values())


async def test_the_embedders_words_and_key_follow_no_redirect() -> None:
    embedder = open_openai_embedder(api_key="key", base_url="http://model.test/v1", model=None)
    assert embedder.client._client.follow_redirects is False
    await embedder.client.close()
    elsewhere = httpx2.AsyncClient(transport=httpx2.MockTransport(move_away))
    client = openai.AsyncOpenAI(api_key="key", base_url="http://model.test/v1", http_client=elsewhere)
    with pytest.raises(Exception, match="no vectors"):
        await OpenAIEmbedder(client).embed(["Hello"])
