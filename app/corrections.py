"""The words by which a customer who was told something wrong is put right."""

from collections.abc import Sequence
from typing import Any

from app.rendering import say_channel
from db.misled import Told
from db.text import plain_text


def write_body(told: Sequence[Told]) -> str:
    """A correction of answers given in one conversation, as the customer would read it. It promises nothing."""
    when = told[-1].sent_at.strftime("%-d %B %Y")
    texts = list_texts(told)
    if not texts:
        return (
            f"We have to correct what we wrote to you on {when}: the text it stood on does not hold any more. "
            "Please do not rely on it. We are sorry for the mistake."
        )
    joined = "\n\n".join(texts)
    return (
        f"We have to correct what we wrote to you on {when}: the text it stood on has changed. "
        f"This is what holds now:\n\n{joined}\n\nWe are sorry for the mistake."
    )


def list_texts(told: Sequence[Told]) -> list[str]:
    """What holds now, each passage once, as far as customers may read it."""
    return list(dict.fromkeys(plain_text(one.new_text) for one in told if one.new_text and one.is_public))


def cite(told: Sequence[Told], slug: str, title: str, version: int) -> list[dict[str, Any]]:
    """The new passages as messages.citations names them."""
    passages = dict.fromkeys(one.new_passage for one in told if one.new_passage and one.is_public)
    return [
        {"passage": passage, "version": version, "slug": slug, "title": title, "url": f"/help/{slug}?version={version}"}
        for passage in passages
    ]


def write_note(told: Sequence[Told], slug: str, version: int, *, is_live: bool) -> str:
    """Why the draft is there, for whoever decides."""
    change = f"is in version {version} now" if is_live else "was retired"
    cited = ", ".join(str(number) for number in sorted({one.version for one in told}))
    language = (
        "" if told[0].language == "en" else f" The customer writes in {told[0].language}: put it into their words."
    )
    return f"The article {slug} {change}; the answer on {say_channel(told[0].channel)} cites version {cited}.{language}"
