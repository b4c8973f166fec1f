"""doctor says whether the providers of models take us, and what to do where they do not."""

from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.findings import Finding
from app.model_checks import check_models
from app.settings import read_settings
from tests.stand_ins.vendor import serving


@dataclass
class Provider:
    """Answers whatever it is asked in one way, and keeps the keys it was shown."""

    answer: Response
    keys: list[str | None] = field(default_factory=list)

    async def respond(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization"))
        return self.answer if request.url.path == "/v1/models" else PlainTextResponse("what?", 404)


async def look(answer: Response, name: str = "OPENAI", **environ: str) -> tuple[list[Finding], Provider]:
    """What is found where a provider answers so."""
    provider = Provider(answer)
    async with serving(Starlette(routes=[Route("/{path:path}", provider.respond)])) as url:
        given = {f"{name}_BASE_URL": f"{url}/v1", f"{name}_API_KEY": "hidden", f"{name}_MODEL": "small"}
        settings = read_settings(given | {f"{name}_PRICE": "1/2"} | environ)
        return [finding async for finding in check_models(settings)], provider


LISTED = JSONResponse({"data": [{"id": "small"}, {"id": "large:latest"}]})


@pytest.mark.parametrize("name", ["OPENAI", "FALLBACK"])
async def test_a_provider_that_takes_us_is_said_to(name: str) -> None:
    [finding], provider = await look(LISTED, name)
    assert (finding.state, finding.text) == ("ok", "the model small is known to 127.0.0.1")
    assert provider.keys == ["Bearer hidden"]


async def test_a_local_model_need_not_be_written_with_its_tag() -> None:
    [finding], _ = await look(LISTED, OPENAI_MODEL="large")
    assert finding.state == "ok"


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (PlainTextResponse("no", 401), "bad", "check OPENAI_API_KEY"),
        (JSONResponse({"data": [{"id": "other"}]}), "bad", "set OPENAI_MODEL to one of other"),
        (PlainTextResponse("no", 404), "warn", "does not list its models"),
        (PlainTextResponse("not json"), "warn", "cannot be asked now"),
        (PlainTextResponse("no", 500), "warn", "does not list its models (500)"),
    ],
)
async def test_what_is_wrong_is_said_with_what_to_do_and_never_with_the_key(
    answer: Response, state: str, words: str
) -> None:
    [finding], _ = await look(answer)
    assert finding.state == state
    assert words in finding.text
    assert "hidden" not in finding.text


async def test_a_provider_that_is_away_is_no_fault_of_ours() -> None:
    given = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_MODEL": "small", "OPENAI_PRICE": "1/2"}
    [finding] = [finding async for finding in check_models(read_settings(given))]
    assert (finding.state, "cannot be asked now" in finding.text) == ("warn", True)


async def test_a_model_of_unknown_price_is_pointed_out() -> None:
    found, _ = await look(LISTED, OPENAI_PRICE="")
    assert [finding.state for finding in found] == ["ok", "warn"]
    assert "set OPENAI_PRICE" in found[1].text
