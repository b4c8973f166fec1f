"""What a message says of its files: a mark for each, and for those that can be read what they say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from channels.base import Attached, InboundMessage
from channels.files.types import BINARY
from db.attachments import Attachment

TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,40}/[a-z0-9][a-z0-9.+-]{0,80}")
WORDS = {"image": "image", "audio": "voice message", "video": "video", "file": "file"}
"""What came along, as customers call it."""
LINE = re.compile(
    r"^\[(?:(image|voice message|video|file)(?: that could not be fetched)?|(?:[^\]\n]*, )?([a-z]+)/\S+, \d+ kB)\]$",
    re.M,
)
"""The mark of a file, on a line of its own."""
MAX_FILE_TEXT = 4_000  # characters of one file
MAX_TEXT = 20_000  # characters of all files of a turn


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A message with what its files say."""

    message: InboundMessage
    unread: tuple[str, ...] = ()
    """Kinds of its files that nobody here can read: image, audio, video, file."""


def read_type(declared: str) -> str:
    """A media type as a vendor declares it, without parameters; application/octet-stream for what is none."""
    kind = declared.partition(";")[0].strip().lower()
    return kind if TYPE.fullmatch(kind) else BINARY


def find_kind(media_type: str) -> str:
    """image, audio, video or file."""
    kind = media_type.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "file"


def read_marks(body: str) -> tuple[str, tuple[str, ...]]:
    """The words of a message of the log, and the kinds of its files that cannot be read: of marks with a type only
    pictures, sound and film, for what else could be read stands below its mark."""
    kinds = [name_kind(mark[1], mark[2]) for mark in LINE.finditer(body)]
    return LINE.sub("", body).strip(), tuple(kind for kind in kinds if kind)


def name_kind(word: str | None, declared: str | None) -> str | None:
    if word is not None:
        return next(kind for kind, said in WORDS.items() if said == word)
    return declared if declared in ("image", "audio", "video") else None


def mark_files(messages: Sequence[InboundMessage], kept: Mapping[tuple[str, int], Attachment]) -> list[ReadMessage]:
    """The messages with what their files say. kept: by external id and place; what is not in it was not fetched."""
    left, read = MAX_TEXT, []
    for message in messages:
        told = []
        for place, attached in enumerate(message.attached):
            told.append(tell_file(attached, kept.get((message.external_id, place)), left))
            left -= len(told[-1].text)
        read.append(put_in(message, told))
    return read


@dataclass(frozen=True, slots=True)
class ToldFile:
    """What a message says of one file."""

    shown: str | None
    """In place of its mark; None: there is nothing more to say than the mark."""
    text: str = ""
    unread: str | None = None


def tell_file(attached: Attached, file: Attachment | None, left: int) -> ToldFile:
    kind = find_kind(read_type(attached.type) if file is None else file.type)
    if file is None:
        return ToldFile(None, unread=kind)
    if file.size is None:
        return ToldFile(f"[{WORDS[kind]} that could not be fetched]", unread=kind)
    if file.text is None:
        return ToldFile(None, unread=kind)
    head = f"[{file.type}, {max(1, file.size // 1000)} kB]"
    text = file.text[: min(MAX_FILE_TEXT, max(0, left))].strip()
    return ToldFile(f"{head}\n{text}", text) if text else ToldFile(head, unread=kind)


def put_in(message: InboundMessage, told: Sequence[ToldFile]) -> ReadMessage:
    """The customer's words, then each file on lines of its own; as it came where there is nothing more to say."""
    unread = tuple(file.unread for file in told if file.unread)
    if all(file.shown is None for file in told):
        return ReadMessage(message, unread)
    shown = [file.shown or f"[{WORDS[file.unread or 'file']}]" for file in told]
    body = "\n".join(part for part in (message.words, *shown) if part)
    words = "\n\n".join(part for part in (message.words, *(file.text for file in told)) if part)
    return ReadMessage(replace(message, body=body, words=words), unread)
