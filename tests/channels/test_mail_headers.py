"""Headers as programs and liars write them."""

from datetime import UTC, datetime

import pytest

from channels.mail.charsets import clean_text, decode_text, decode_words, find_codec
from channels.mail.headers import read_addresses, read_date, read_ids, read_message_id, read_parameters


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Ana <Ana@Example.com>", [("Ana", "ana@example.com")]),
        ('"Lopez, Ana" <ana@example.com>, b@example.org', [("Lopez, Ana", "ana@example.com"), ("", "b@example.org")]),
        ("undisclosed-recipients:;", []),
        ("Team: a@example.com, b@example.com; c@example.com", [("", f"{name}@example.com") for name in "abc"]),
        ("ana@example.com (Ana Lopez)", [("Ana Lopez", "ana@example.com")]),
        ("<>", []),
        ("=?utf-8?q?J=C3=BCrgen?= <j@example.de>", [("Jürgen", "j@example.de")]),
        ("=?utf-8?b?YW5hQGV4YW1wbGUuY29t?=", []),
        ('"victim@example.com" <eve@example.net>', [("victim@example.com", "eve@example.net")]),
        ("victim@example.com <eve@example.net>", [("victim@example.com", "eve@example.net")]),
        ("<victim@example.com> <eve@example.net>", [("", "victim@example.com"), ("", "eve@example.net")]),
        ("victim@example.com eve@example.net", [("", "victim@example.com"), ("", "eve@example.net")]),
        ("victim@example.com@example.net", []),
        ('"Ana <ana@example.com>', [("", "ana@example.com")]),
        ("ana@example.com\x00", [("", "ana@example.com")]),
        ("O'Hara <o'hara@example.com>", [("O'Hara", "o'hara@example.com")]),
    ],
)  # fmt: skip
def test_addresses_are_those_a_mail_server_sees(header: str, found: list[tuple[str, str]]) -> None:
    assert [(person.name, person.address) for person in read_addresses(header.encode())] == found


def test_ids_lose_their_brackets_and_folds() -> None:
    assert read_ids(b"<a@example.com>  junk <b @example.com> <>") == ("a@example.com", "b@example.com")
    assert read_message_id(b"no-brackets@example.com") == "no-brackets@example.com"
    assert read_message_id(b"") is None


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        (b"Mon, 12 Jan 2026 09:30:00 +0100", datetime(2026, 1, 12, 8, 30, tzinfo=UTC)),
        (b"12 Jan 26 09:30 GMT", datetime(2026, 1, 12, 9, 30, tzinfo=UTC)),
        (b"Mon, 12 Jan 2026 09:30:00", datetime(2026, 1, 12, 9, 30, tzinfo=UTC)),
        (b"Mon, 12 Jan 99999 09:30:00 +0100", None),
        (b"Mon, 12 Jan 2026 09:30:00 +99999999", None),
        (b"31 Feb 2026 00:00:00 +0000", None),
        (b"yesterday", None),
        (b"", None),
    ],
)
def test_date_is_a_moment_or_nothing(header: bytes, moment: datetime | None) -> None:
    assert read_date(header) == moment


@pytest.mark.parametrize(
    ("header", "kind", "parameters"),
    [
        (b'Text/HTML; Charset="UTF-8"', "text/html", {"charset": "UTF-8"}),
        (b'a/b; name="a;b \\"c\\".txt"', "a/b", {"name": 'a;b "c".txt'}),
        (b"attachment; filename*=iso-8859-1'en'%A3%20rates", "attachment", {"filename": "£ rates"}),
        (b"attachment; filename*1=b.pdf; filename*0*=utf-8''%e2%82%ac", "attachment", {"filename": "€b.pdf"}),
    ],
)
def test_parameters_are_decoded(header: bytes, kind: str, parameters: dict[str, str]) -> None:
    assert read_parameters(header) == (kind, parameters)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("=?utf-8?Q?a?= =?utf-8?Q?b?= c", "ab c"),
        ("=?utf-8?Q?=E2=82?= =?utf-8?Q?=AC?=", "€"),
        ("=?utf-8?B?w6k=?=\t=?iso-8859-1?Q?=E9?=", "éé"),
        ("x =?utf-8*en?Q?a_b?= y", "x a b y"),
        ("=?no-such?Q?=C3=A9?=", "é"),
        ("=?utf-7?Q?+ADw-?=", "+ADw-"),
        ("=?utf-8?Q?unfinished", "=?utf-8?Q?unfinished"),
    ],
)
def test_encoded_words_are_decoded(header: str, text: str) -> None:
    assert decode_words(header) == text


@pytest.mark.parametrize(
    "name", ["utf-7", "punycode", "unicode_escape", "zlib", "idna", "undefined", "no-such", "..", ""]
)
def test_what_is_no_charset_is_not_decoded_as_one(name: str) -> None:
    assert find_codec(name) is None
    assert decode_text(b"+ADw-", name) == "+ADw-"


def test_text_without_what_nobody_sees() -> None:
    assert clean_text("a\x00b\ud800c\r\nd\re\u202ef\u200bg\U000e0041") == "abc\nd\nefg"
    assert clean_text("pad \u200c \u200c \u200d end") == "pad    end"
    assert clean_text("می‌خواهم 👩‍👧") == "می‌خواهم 👩‍👧"
