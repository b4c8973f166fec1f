"""Bytes of a mail as text: transfer codings, charsets as senders name them, encoded words, what nobody can see."""

import binascii
import re
import string
from encodings.aliases import aliases

BASE64 = string.ascii_letters + string.digits + "+/"
NOT_BASE64 = bytes(set(range(256)) - set(BASE64.encode()))
ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
IDLE_JOINER = re.compile("(?<![^\x00-\x7f\u00a0\u200c\u200d\\s])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f\u00a0\\s])")
"""Joiners are needed inside Persian words and emoji; between spaces they only pad a hidden preview."""

SAME_AS = {
    "us-ascii": "cp1252", "ascii": "cp1252", "iso-8859-1": "cp1252", "latin-1": "cp1252", "gb2312": "gb18030",
    "gbk": "gb18030", "gb_2312-80": "gb18030", "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "x-sjis": "cp932",
    "shift_jis": "cp932", "iso-2022-jp": "iso2022_jp_ext", "x-gbk": "gb18030", "iso-8859-8-i": "iso8859_8",
    "iso-8859-9": "cp1254",
    "windows-31j": "cp932", "windows-874": "cp874", "tis-620": "cp874", "x-mac-roman": "mac_roman",
    "unicode-1-1-utf-8": "utf_8", "utf8mb4": "utf_8", "x-unknown": "utf_8", "unknown-8bit": "utf_8",
}  # fmt: skip
"""What senders write, and what it turns out to be: the larger set of the same family."""
KNOWN = frozenset(aliases.values()) - {
    "utf_7", "idna", "punycode", "raw_unicode_escape", "unicode_escape", "undefined", "mbcs", "base64_codec",
    "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec",
}  # fmt: skip
"""Charsets only: what Python also calls a codec unpacks, is slow, or lets one text be read as another."""


def find_codec(charset: str) -> str | None:
    """Python's name for a charset as a sender wrote it; None for one that is unknown or not to be decoded."""
    name = charset.strip(" \t\"'").lower().partition("*")[0]
    name = SAME_AS.get(name, name).replace("-", "_").replace(" ", "_")
    name = aliases.get(name, name)
    name = "cp1252" if name in ("ascii", "latin_1") else name
    return name if name in KNOWN else None


def decode_text(raw: bytes, charset: str = "") -> str:
    """Bytes as text, whatever they are: as declared, else as UTF-8, else as Western European; never fails."""
    codec = find_codec(charset)
    for name in (codec, "utf_8") if codec and codec != "cp1252" else ("utf_8", "cp1252"):
        try:
            return raw.decode(name).removeprefix("\ufeff")
        except (UnicodeError, LookupError):
            continue
    return raw.decode(codec or "cp1252", "replace")


def decode_transfer(raw: bytes, coding: str) -> bytes:
    """A body without its transfer coding; what is broken is read as far as it goes."""
    match coding.strip().lower():
        case "base64":
            return decode_base64(raw)
        case "quoted-printable":
            return binascii.a2b_qp(raw)
        case "x-uuencode" | "uuencode" | "x-uue":
            return decode_uu(raw)
        case _:
            return raw


def decode_base64(raw: bytes) -> bytes:
    letters = raw.translate(None, NOT_BASE64)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def decode_uu(raw: bytes) -> bytes:
    lines = iter(raw.splitlines())
    for line in lines:
        if line.startswith(b"begin "):
            break
    decoded = []
    for line in lines:
        try:
            decoded.append(binascii.a2b_uu(line))
        except binascii.Error:
            break
    return b"".join(decoded)


def decode_words(text: str) -> str:
    """A header's value with its encoded words decoded; those that stand side by side are one text."""
    parts: list[str] = []
    waiting, codec_name, at = b"", "", 0
    for word in ENCODED_WORD.finditer(text):
        between, charset = text[at : word.start()], word.group(1).lower()
        if between.strip() or not waiting or charset != codec_name:
            parts.append(decode_text(waiting, codec_name))
            parts.append("" if waiting and not between.strip() else between)
            waiting = b""
        waiting += decode_word(word.group(2), word.group(3))
        codec_name, at = charset, word.end()
    return "".join([*parts, decode_text(waiting, codec_name), text[at:]])


def decode_word(coding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return decode_base64(raw) if coding in "bB" else binascii.a2b_qp(raw, header=True)


def clean_text(text: str) -> str:
    """Text that Postgres takes and a reader sees: no control characters, nothing invisible, lines ended by \\n."""
    text = re.sub("\r\n?|[\x85\u2028\u2029]", "\n", text)
    text = UNSAFE.sub("", text)
    return INVISIBLE.sub("", text) if text.isascii() else IDLE_JOINER.sub("", INVISIBLE.sub("", text))


def clean_line(text: str) -> str:
    """The same in one line."""
    return " ".join(clean_text(text).split())
