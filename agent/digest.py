"""A long conversation in short, put together from its log without a model: the same messages, the same words."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from agent.language import find_language
from agent.policy import join_lines
from agent.promises import load_promise, load_promises
from agent.prompt import SUMMARY_CHARS, escape_text
from agent.words import split_sentences
from db.summaries import Past
from db.turns import LoggedMessage

REFERENCE = re.compile(r"\b[A-Z]{1,12}-\d{8}-[0-9A-HJKMNP-TV-Z]{4}\b")
QUESTION_ENDS = ("?", "？", "؟")
QUOTE_CHARS, REPLY_CHARS, TITLE_CHARS = 200, 120, 80
CUT = "..."


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the digest. `weight`: those of more go in first where there is no room for all."""

    weight: int
    at: datetime
    text: str

    @property
    def line(self) -> str:
        return f"{self.at.date().isoformat()} {self.text}"


def write_digest(past: Past) -> str:
    """References, what was promised and handed over, what was asked and answered, newest first, in SUMMARY_CHARS.

    Where that is too little, old questions give way to promises, and old promises to new ones.
    """
    head = list_references(past)
    notes = list_notes(past.messages)
    room = SUMMARY_CHARS - measure(head)
    kept: list[int] = []
    for place in sorted(range(len(notes)), key=lambda place: (notes[place].weight, place), reverse=True):
        length = measure(notes[place].line)
        if length <= room:
            kept.append(place)
            room -= length
    lines = [notes[place].line for place in sorted(kept, reverse=True)]
    return "\n".join([head, *lines] if head else lines)


def measure(line: str) -> int:
    """Its characters as the prompt has them, with the end of the line."""
    return len(escape_text(line)) + 1


def list_references(past: Past) -> str:
    named = [reference for message in past.messages for reference in REFERENCE.findall(message.body)]
    references = list(dict.fromkeys((*past.tickets, *named)))[-QUOTE_CHARS // 20 :]
    return f"Tickets: {', '.join(references)}" if references else ""


def list_notes(messages: Iterable[LoggedMessage]) -> list[Note]:
    """What became of each thing the customer wrote, oldest first; a promise that was repeated only the last time."""
    notes: list[Note] = []
    asked: list[LoggedMessage] = []
    for message in messages:
        if message.author == "customer":
            asked.append(message)
            continue
        notes.extend(note_reply(asked, message))
        asked = []
    if asked:
        notes.append(Note(1, asked[-1].sent_at, f"They wrote: {quote_asked(asked)} No answer until then."))
    newest = {(note.weight, note.text): note for note in notes if note.weight == 2}
    return [note for note in notes if note.weight != 2 or newest[note.weight, note.text] is note]


def note_reply(asked: list[LoggedMessage], reply: LoggedMessage) -> Iterator[Note]:
    promised = list_promises(reply.body) if reply.kind != "handoff" else []
    if asked or reply.author == "person" or reply.kind == "handoff":
        before = f"They wrote: {quote_asked(asked)} " if asked else ""
        weight = 2 if reply.kind == "handoff" else 1 if reply.author == "person" else 0
        yield Note(weight, reply.sent_at, before + describe_reply(reply))
    who = "A colleague" if reply.author == "person" else "We"
    for sentence in promised:
        yield Note(2, reply.sent_at, f"{who} told them: {quote(sentence, QUOTE_CHARS)}")


def describe_reply(reply: LoggedMessage) -> str:
    said = quote(reply.body, REPLY_CHARS)
    if reply.kind == "handoff":
        return f"Handed to a colleague: {said}"
    if reply.author == "person":
        return f"A colleague answered: {said}"
    if reply.kind == "clarifying_question":
        return f"We asked back: {said}"
    titles = [quote(str(cited["title"]), TITLE_CHARS) for cited in reply.citations if cited.get("title")]
    source = f" from {', '.join(dict.fromkeys(titles))}" if titles else ""
    return f"We answered{source}: {said}"


def list_promises(text: str) -> list[str]:
    """The sentences that say something was or will be done."""
    languages = {find_language(text) or "en", "en"}
    patterns = [
        load_promise(name, code)
        for name, promise in load_promises().items()
        for _, code in promise["patterns"]
        if code in languages
    ]
    statements = (one for one in split_sentences(text) if not one.endswith(QUESTION_ENDS))
    return [one for one in statements if any(pattern.search(join_lines(one)) for pattern in patterns)]


def quote_asked(asked: list[LoggedMessage]) -> str:
    """The questions among what they wrote, or its beginning where there are none."""
    text = "\n".join(message.body for message in asked)
    questions = [sentence for sentence in split_sentences(text) if sentence.endswith(QUESTION_ENDS)]
    return quote(" ".join(questions) or text, QUOTE_CHARS)


def quote(text: str, most: int) -> str:
    plain = " ".join(text.replace('"', "'").split())
    return f'"{plain}"' if len(plain) <= most else f'"{plain[: most - len(CUT)].rstrip()}{CUT}"'
