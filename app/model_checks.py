"""What the doctor asks the providers of models. Nothing is generated, so nothing is paid for."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2

from agent.models.openai import OPENAI_ADDRESS, ModelEndpoint
from app.findings import Finding
from app.settings import Settings
from app.wiring import list_endpoints

SECONDS = 10.0


async def check_models(settings: Settings) -> AsyncIterator[Finding]:
    """Whether each provider takes our key and knows the model, and whether we know what it costs."""
    for name, endpoint in list_endpoints(settings).items():
        yield await check_endpoint(name, endpoint)
        if getattr(settings, f"{name.lower()}_price") is None:
            yield Finding("warn", f"what {endpoint.model} costs is not known: set {name}_PRICE, else no budget binds")


async def check_endpoint(name: str, endpoint: ModelEndpoint) -> Finding:
    address = endpoint.base_url or OPENAI_ADDRESS
    host = urlsplit(address).hostname
    headers = {"Authorization": f"Bearer {endpoint.api_key or 'none'}"}
    try:
        async with httpx2.AsyncClient(timeout=SECONDS) as client:
            answer = await client.get(f"{address}/models", headers=headers)
            known = list_names(answer.json()) if answer.status_code == 200 else []
    except (httpx2.HTTPError, ValueError) as error:
        return Finding("warn", f"{host} cannot be asked now ({type(error).__name__}): the next model answers meanwhile")
    if answer.status_code in (401, 403):
        return Finding("bad", f"{host} refuses us ({answer.status_code}): check {name}_API_KEY")
    if not known:
        return Finding("warn", f"{host} does not list its models ({answer.status_code}): try python -m app ask")
    if endpoint.model not in known:
        return Finding(
            "bad", f"{host} does not know {endpoint.model}: set {name}_MODEL to one of {', '.join(known[:5])}"
        )
    return Finding("ok", f"the model {endpoint.model} is known to {host}")


def list_names(body: Any) -> list[str]:
    """The models of a list as OpenAI and those who copy it give it; a tag such as :latest need not be written."""
    rows = body.get("data") if isinstance(body, dict) else None
    names = [str(row["id"]) for row in rows or () if isinstance(row, dict) and row.get("id")]
    return [*names, *(name.removesuffix(":latest") for name in names if name.endswith(":latest"))]
