"""Reading what vendors answer over HTTP."""

from typing import Any

import httpx2


def read_object(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON object of an answer; an empty one for anything else, such as a proxy's page."""
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
