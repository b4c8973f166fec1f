"""The words by which a customer who was told something wrong is put right: in their language where we have them."""

from collections.abc import Sequence
from typing import Any

from app.customer_words import choose_language, has_words, say, say_day
from app.rendering import say_channel
from db.knowledge_desk import Text
from db.misled import Told
from db.text import plain_text


def write_body(told: Sequence[Told]) -> str:
    """A correction of answers given in one conversation, as the customer would read it. It promises nothing."""
    language = told[0].language
    when = say_day(told[-1].sent_at, language)
    texts = list_texts(told)
    if not texts:
        return say("withdrawal", language, when=when)
    return say("correction", language, when=when, text="\n\n".join(texts))


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


def write_note(told: Sequence[Told], article: Text) -> str:
    """Why the draft is there, for whoever decides."""
    change = f"is in version {article.version} now" if article.state == "live" else "was retired"
    cited = ", ".join(str(number) for number in sorted({one.version for one in told}))
    where = say_channel(told[0].channel)
    asked = ask_to_translate(told, article.language)
    return f"The article {article.slug} {change}; the answer on {where} cites version {cited}.{asked}"


def ask_to_translate(told: Sequence[Told], written_in: str) -> str:
    """What of the draft is not in the customer's language, if anything: an article is quoted as it is written."""
    language = told[0].language
    if not has_words(language):
        return f" The customer writes in {language}: put it into their words."
    if choose_language(language) == choose_language(written_in) or not list_texts(told):
        return ""
    return f" The customer writes in {language}: put what it quotes into their words, too."
