"""Mails made to break a reader: each is built when it is asked for, as some are tens of megabytes."""

import base64
import random
import zlib
from collections.abc import Callable

HEAD = b"From: Eve <eve@example.net>\r\nTo: support@example.org\r\nMessage-ID: <1@example.net>\r\nMIME-Version: 1.0\r\n"
MIXED = HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
WORD = b"=?utf-8?q?" + b"a" * 20 + b"?= "


def html(body: bytes) -> bytes:
    """A mail of nothing but this HTML."""
    return HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + body


def plain(body: bytes, more: bytes = b"") -> bytes:
    """A mail of nothing but this text."""
    return HEAD + b"Content-Type: text/plain; charset=utf-8" + more + b"\r\n\r\n" + body


def attached(content: bytes, kind: bytes = b"application/pdf") -> bytes:
    """A mail with a line of text and a file."""
    file = b"--b\r\nContent-Type: " + kind + b'; name="file"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return MIXED + b"--b\r\n\r\nSee the file.\r\n" + file + base64.encodebytes(content) + b"--b--\r\n"


def nested(depth: int) -> bytes:
    """Multiparts inside each other."""
    opened = (b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (at, at) for at in range(depth))
    return HEAD + b"".join(opened) + b"\r\nhi\r\n"


def pdf(content: bytes, *, is_packed: bool = False) -> bytes:
    """A PDF of one page that draws `content`."""
    stream, packed = (zlib.compress(content, 9), b"/Filter /FlateDecode") if is_packed else (content, b"")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(stream), packed, stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    written, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return written + start % (table, len(written))


def noise(length: int) -> bytes:
    """Bytes without sense, the same each time."""
    return random.Random(length).randbytes(length)


LETTERS = b"BT /F1 12 Tf (a) Tj ET\n"

HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "subject of 300 KB in encoded words": lambda: b"Subject: " + WORD * 9_000 + b"\r\n" + plain(b"hi"),
    "60 subjects of 8 KB in encoded words": lambda: (b"Subject: " + WORD * 250 + b"\r\n") * 60 + plain(b"hi"),
    "800,000 headers": lambda: b"X: y\r\n" * 800_000 + plain(b"hi"),
    "one header of 5 MB": lambda: b"X: " + b"y" * 5_000_000 + b"\r\n" + plain(b"hi"),
    "header folded 20,000 times": lambda: b"X: a\r\n" + b" \r\n" * 20_000 + plain(b"hi"),
    "30 MB without a line end": lambda: b"a" * 30_000_000,
    "30 MB of line ends": lambda: b"\n" * 30_000_000,
    "30 MB of short lines": lambda: plain(b"a\r\n" * 10_000_000),
    "1,000 multiparts inside each other": lambda: nested(1_000),
    "10,000 parts": lambda: MIXED + b"--b\r\n\r\nhi\r\n" * 10_000,
    "199 parts": lambda: MIXED + b"--b\r\n\r\nhi\r\n" * 198,
    "lines that are almost boundaries": lambda: MIXED + b"--bx\n" * 5_000_000,
    "boundaries inside a line": lambda: MIXED + b"x--b" * 5_000_000,
    "quotes never closed in addresses": lambda: b'To: "' + b'\\"' * 4_000 + b"\r\n" + plain(b"hi"),
    "brackets never closed in addresses": lambda: b"To: " + b"(<" * 4_000 + b"\r\n" + plain(b"hi"),
    "1,100 parameters": lambda: HEAD + b"Content-Type: text/plain" + b";a*0*=x" * 1_100 + b"\r\n\r\nhi",
    "1 MB of HTML paragraphs": lambda: html(b"<p>hello my friend" * 58_000),
    "30 MB of HTML paragraphs": lambda: html(b"<p>a" * 7_500_000),
    "100,000 attributes": lambda: html(b"<p " + b" ".join(b"a%d=1" % at for at in range(100_000)) + b">x"),
    "75,000 quotes inside each other": lambda: html(b"<blockquote>x" * 75_000),
    "7,000 open inline tags": lambda: html(b"<b><i><u>" * 7_000 + b"x"),
    "7,000 misnested tags": lambda: html(b"<a><b><p>" * 7_000),
    "80 tables inside each other": lambda: html(b"<table><tr><td>a" * 80),
    "10,000 cells in a row": lambda: html(b"<table><tr>" + b"<td>&nbsp;" * 10_000),
    "cell wider than a book": lambda: html(b"<table><td>" + b"x" * 130_000 + b"<td>b" + b"<tr><td>a<td>b" * 9_000),
    "style of 60 KB": lambda: html(b'<p style="' + b"-" * 60_000 + b'">x'),
    "60 KB of opened comments": lambda: html(b"<!-" * 20_000),
    "64 KB of quote marks": lambda: plain(b">" * 64_000),
    "64 KB of quoted lines": lambda: plain(b"> a\n" * 16_000),
    "64 KB of short flowed lines": lambda: plain(b"a \r\n" * 16_000, b"; format=flowed"),
    "64 KB of attributions": lambda: plain(b"On Monday Ana wrote:\n" * 3_000),
    "64 KB of spaces": lambda: plain(b" " * 64_000 + b"x"),
    "1 MB in one word": lambda: plain(b"a" * 1_000_000),
    "1 MB of noise": lambda: noise(1_000_000),
    "1 MB of noise as text": lambda: plain(noise(1_000_000)),
    "bounce of 60 KB of numbers": lambda: b"Subject: Undeliverable\r\nReturn-Path: <>\r\n" + plain(b"4.4.4." * 10_000),
    "25 MB picture": lambda: attached(b"\xff\xd8\xff" + noise(25_000_000), b"image/jpeg"),
    "20 MB of noise called PDF": lambda: attached(b"%PDF-1.4\n" + noise(20_000_000)),
    "PDF that unpacks to 200 MB": lambda: attached(pdf(b" " * 200_000_000, is_packed=True)),
    "PDF that draws a million letters": lambda: attached(pdf(LETTERS * 1_000_000, is_packed=True)),
    "PDF whose pages hold themselves": lambda: attached(pdf(b"").replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]")),
    "zip inside a zip": lambda: attached(b"PK\x03\x04" + b"PK\x03\x04" * 250_000, b"application/zip"),
    "text in the charset punycode": lambda: (
        HEAD + b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-" * 100_000
    ),
}
"""What it is, and how to build it."""
