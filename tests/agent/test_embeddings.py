import json
from pathlib import Path

import httpx2
import openai
import pytest

from agent.embeddings import EmbeddingUnavailable, LocalEmbedder, OpenAIEmbedder, find_local_embedder, unit_vector

LOCAL = find_local_embedder()
needs_local_model = pytest.mark.skipif(LOCAL is None, reason="the local model's packages are not installed")


class Server:
    """An embeddings endpoint: answers with `answer`, keeps the requests."""

    def __init__(self, answer: httpx2.Response | Exception | None = None) -> None:
        self.answer = answer
        self.requests: list[dict[str, object]] = []

    def reply(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.requests.append(body)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        entries = [
            {"object": "embedding", "index": place, "embedding": [float(len(text)), 0.0, 0.0]}
            for place, text in enumerate(body["input"])
        ]
        return httpx2.Response(200, json={"object": "list", "model": "m", "data": entries[::-1], "usage": {}})

    def open_embedder(self) -> OpenAIEmbedder:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self.reply))
        client = openai.AsyncOpenAI(api_key="x", base_url="http://model.example/v1", http_client=http)
        return OpenAIEmbedder(client, "m", dimensions=3)


async def test_texts_are_asked_for_in_batches_and_come_back_in_their_order() -> None:
    server = Server()
    embedder = server.open_embedder()
    vectors = await embedder.embed(["x" * place for place in range(1, 131)])
    assert [len(request["input"]) for request in server.requests] == [64, 64, 2]  # type: ignore[arg-type]
    assert len(vectors) == 130
    assert all(vector == [1.0, 0.0, 0.0] for vector in vectors)


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(500, text="down"),
        httpx2.Response(429, json={"error": {"message": "quota"}}),
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, json={"data": []}),
        httpx2.Response(200, json={"data": [{"index": 0, "embedding": [0.0, 0.0, 0.0]}]}),
        httpx2.Response(200, json={"data": [{"index": 0, "embedding": [1.0]}]}),
        httpx2.ConnectError("refused"),
    ],
)
async def test_every_failure_is_one_error_after_one_try(answer: httpx2.Response | Exception) -> None:
    server = Server(answer)
    with pytest.raises(EmbeddingUnavailable):
        await server.open_embedder().embed(["refund"])
    assert len(server.requests) == 1


def test_a_vector_without_a_direction_is_refused() -> None:
    assert unit_vector([3.0, 4.0]) == [0.6, 0.8]
    with pytest.raises(ValueError, match="direction"):
        unit_vector([0.0, 0.0])


async def test_weights_that_are_not_the_known_ones_are_never_used(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(EmbeddingUnavailable, match="cannot be used"):
        await LocalEmbedder(tmp_path).embed(["refund"])


@needs_local_model
async def test_the_local_model_puts_like_meanings_near_each_other() -> None:
    assert LOCAL is not None
    question, same, other = await LOCAL.embed(
        ["How do I get my money back?", "Refund policy", "Keyboard shortcuts of the board"]
    )
    assert len(question) == LOCAL.dimensions
    assert multiply(question, question) == pytest.approx(1, abs=1e-5)
    assert multiply(question, same) > 0.4 > 0.2 > multiply(question, other)


@needs_local_model
async def test_a_text_has_the_same_vector_alone_and_among_others() -> None:
    assert LOCAL is not None
    texts = ["", "🤷", "請求書", "word " * 3000, "Refund policy"]
    together = await LOCAL.embed(texts)
    for text, vector in zip(texts, together, strict=True):
        [alone] = await LOCAL.embed([text])
        assert alone == pytest.approx(vector, abs=1e-5)


def multiply(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
