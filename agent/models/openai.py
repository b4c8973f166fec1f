"""Any OpenAI-compatible server as a Model: one call, one deadline, and what this server turned out not to know."""

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
import openai
import orjson

from agent.models.base import ModelFailure, ModelReply, Prompt
from agent.models.chat_wire import CHAT
from agent.models.connections import CONNECT_SECONDS, open_http_client
from agent.models.failures import ProviderError, read_error_body, to_failure
from agent.models.responses_wire import RESPONSES
from agent.models.wire import WireOptions

Wire = Literal["responses", "chat"]

log = logging.getLogger(__name__)

OPENAI_ADDRESS = "https://api.openai.com/v1"
OPTIONAL_FEATURES = {
    "parallel_tool_calls": re.compile(r"\bparallel_tool_calls\b"),
    "tool_choice": re.compile(r"\btool_choice\b"),
    "strict": re.compile(r"\bstrict\b"),
    "max_completion_tokens": re.compile(r"\bmax_completion_tokens\b"),
    "max_tokens": re.compile(r"\bmax_tokens\b"),
    "max_output_tokens": re.compile(r"\bmax_output_tokens\b"),
    "include": re.compile(r"\binclude\b|encrypted[_ ]content", re.IGNORECASE),
}

TOO_MUCH = re.compile(
    r"less than|at most|greater|exceed|too (?:large|high|many)|<=|between|maximum value", re.IGNORECASE
)
"""A complaint about how high a limit is, not about the limit: without any, nothing would bound what an answer costs."""


class FeatureRefused(ModelFailure):
    """The server does not know an optional feature of the request, which is remembered by now."""


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """Where a model is served, as the settings say it."""

    base_url: str | None
    """None is OpenAI's own address."""
    api_key: str = field(repr=False)
    """May be empty for a server that asks for none."""
    model: str
    wire: Literal["responses", "chat", "auto"] = "auto"
    """auto: responses at OpenAI's own address, chat everywhere else."""


class OpenAIModel:
    """A model behind an OpenAI-compatible server. One instance serves all turns of a process."""

    def __init__(self, client: openai.AsyncOpenAI, model: str, wire: Wire) -> None:
        limits = httpx2.Timeout(None, connect=CONNECT_SECONDS)
        self.client = client.with_options(max_retries=0, timeout=limits)
        self.model = model
        self.wire = RESPONSES if wire == "responses" else CHAT
        self.dropped: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The model's name at its provider."""
        return self.model

    @property
    def provider(self) -> str:
        """Address and model: what a breaker is for, and where reasoning can be read again."""
        return f"{self.client.base_url.netloc.decode()}/{self.model}"

    @property
    def options(self) -> WireOptions:
        return WireOptions(self.model, self.provider, self.dropped)

    async def reply(self, request: Prompt) -> ModelReply:
        """Answer one step within `request.timeout`, by the clock. Raises ModelFailure.

        A second try happens only after the server named an optional feature it does not know, within the same time.
        """
        try:
            async with asyncio.timeout(request.timeout.total_seconds()):
                response = await self.send(request)
        except TimeoutError as error:
            raise ModelFailure("timeout", f"no answer within {request.timeout}") from error
        body = read_body(response)
        usage = self.wire.read_usage(body)
        try:
            items = self.wire.read_items(body, request, self.options)
        except ModelFailure as failure:
            failure.usage = usage
            raise
        request_id = response.headers.get("x-request-id") or body.get("id")
        return ModelReply(self.model, items, usage, str(request_id) if request_id else None)

    async def send(self, request: Prompt) -> httpx2.Response:
        try:
            return await self.post(request)
        except FeatureRefused:
            return await self.post(request)

    async def post(self, request: Prompt) -> httpx2.Response:
        """One HTTP exchange. The reply stays unparsed: servers differ more than the SDK's types allow."""
        body = self.wire.build_body(request, self.options)
        try:
            return await self.client.post(self.wire.path, cast_to=httpx2.Response, content=orjson.dumps(body))
        except openai.APIStatusError as error:
            raise self.read_refusal(error, body) from error
        except openai.APITimeoutError as error:
            code = "unavailable" if isinstance(error.__cause__, httpx2.ConnectTimeout) else "timeout"
            raise ModelFailure(code, error.message) from error
        except openai.APIConnectionError as error:
            raise ModelFailure("unavailable", f"no connection: {type(error.__cause__).__name__}") from error
        except openai.OpenAIError as error:
            raise ModelFailure("malformed", str(error)) from error

    def read_refusal(self, error: openai.APIStatusError, body: Mapping[str, Any]) -> ModelFailure:
        """What a 4xx or 5xx amounts to; remembers the optional feature it names, if any."""
        refusal = ProviderError(error.status_code, error.body, error.message, error.response.headers)
        failure = to_failure(refusal)
        feature = find_refused_feature(refusal, body) if failure.code == "malformed" else None
        if feature is None:
            return failure
        self.dropped |= {feature}
        log.warning("model feature refused", extra={"model": self.model, "feature": feature})
        return FeatureRefused(failure.code, str(failure))

    async def aclose(self) -> None:
        """Close the connections, also those of a shared HTTP client."""
        await self.client.close()


def find_refused_feature(error: ProviderError, body: Mapping[str, Any]) -> str | None:
    """The optional feature of `body` that a 400 or 422 complains about: by its `param`, else by its words."""
    if error.status not in (400, 422):
        return None
    sent = {name: OPTIONAL_FEATURES[name] for name in OPTIONAL_FEATURES if name in body or is_strict(name, body)}
    words = error.message if error.param in ("", "tools") else error.param
    found = {name: match.start() for name, pattern in sent.items() if (match := pattern.search(words))}
    feature = min(found, key=found.__getitem__, default=None)
    is_too_much = feature is not None and feature.startswith("max_") and TOO_MUCH.search(error.message)
    return None if is_too_much else feature


def is_strict(name: str, body: Mapping[str, Any]) -> bool:
    return name == "strict" and "tools" in body


def read_body(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object of a 200. Raises ModelFailure, also for an error that came with a 200."""
    try:
        body = response.json()
    except (ValueError, RecursionError) as error:
        raise ModelFailure("malformed", "the reply is not JSON") from error
    if not isinstance(body, dict):
        raise ModelFailure("malformed", "the reply is not a JSON object")
    if body.get("error"):
        raise to_failure(read_error_body(200, body["error"]))
    return body


def open_openai_model(endpoint: ModelEndpoint, http_client: httpx2.AsyncClient | None = None) -> OpenAIModel:
    """A model at `endpoint`; `http_client` shares connections between models. Close it with `aclose`."""
    client = openai.AsyncOpenAI(
        # Never empty: the SDK would fall back to OPENAI_* variables and show OpenAI's key to another server.
        api_key=endpoint.api_key or "none",
        base_url=endpoint.base_url or OPENAI_ADDRESS,
        max_retries=0,
        http_client=http_client or open_http_client(),
    )
    return OpenAIModel(client, endpoint.model, choose_wire(endpoint))


def choose_wire(endpoint: ModelEndpoint) -> Wire:
    """The wire to speak at `endpoint`."""
    if endpoint.wire != "auto":
        return endpoint.wire
    host = urlsplit(endpoint.base_url or OPENAI_ADDRESS).hostname or ""
    return "responses" if host == "api.openai.com" or host.endswith(".api.openai.com") else "chat"
