"""Authentication-Results, read as RFC 8601 writes them and not otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.fields import strip_comments
from channels.mail.trust import Results, Verdict, is_sound, parse_results

PASS = Verdict("dmarc", "pass", (("header.from", "customer.example"),))
GOOGLE = """mx.google.com;
       dkim=pass header.i=@customer.example header.s=20230601 header.b="rV/I+kG=";
       dkim=neutral (body hash did not verify) header.i=@other.example header.s=s1 header.b=i+h5jdKO;
       arc=pass (i=1 spf=pass spfdomain=evil.example dmarc=pass fromdomain=evil.example);
       spf=pass (google.com: domain of b+1-a=b.c@x.example designates 192.0.2.1 as permitted sender)
        smtp.mailfrom="b+1-a=b.c@x.example";
       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=customer.example;
       dara=pass header.i=@desk.example"""


def read_dmarc(value: str) -> list[Verdict]:
    results = parse_results(value)
    assert results is not None
    assert is_sound(results)
    assert results.receiver == "mx.google.com"
    return [verdict for verdict in results.verdicts if verdict.method == "dmarc"]


@pytest.mark.parametrize(
    "value",
    [
        "mx.google.com; dmarc=pass header.from=customer.example",
        "mx.google.com;dmarc=pass header.from=customer.example;",
        "MX.Google.com 1; DMARC=Pass Header.From=customer.example",
        '"mx.google.com"; dmarc=pass header.from="customer.example"',
        '"mx.goo\\gle.com"; dmarc=pass header.from="customer\\.example"',
        "(a) mx.google.com (b) 1 (c); (d) dmarc (e) = (f) pass (g) header.from (h) = (i) customer.example (j)",
        "mx.google.com; dmarc/1=pass header.from=customer.example",
        "mx.google.com; dmarc=pass header . from = customer.example",
        "mx.google.com;\r\n\tdmarc=pass\r\n header.from=customer.example",
        "mx.google.com; dmarc=pass (nested (comments) with \\) and ; dmarc=fail) header.from=customer.example",
        GOOGLE,
    ],
)
def test_pass_is_read_however_it_is_written(value: str) -> None:
    assert read_dmarc(value) == [PASS]


@pytest.mark.parametrize(
    "value",
    [
        "mx.google.com; none",
        "mx.google.com",
        "mx.google.com; spf=pass smtp.mailfrom=a@b.example",
        'mx.google.com; spf=pass reason="; dmarc=pass header.from=customer.example"',
        "mx.google.com; spf=pass (; dmarc=pass header.from=customer.example)",
        'mx.google.com; spf=pass smtp.mailfrom="a\\"; dmarc=pass header.from=customer.example;\\""@b.example',
        "mx.google.com; dmarc/2=pass header.from=customer.example",
        "mx.google.com; x-dmarc=pass header.from=customer.example",
    ],
)
def test_words_inside_other_words_are_no_pass(value: str) -> None:
    assert read_dmarc(value) == []


@pytest.mark.parametrize(
    "value",
    [
        "",
        ";",
        "; mx.google.com; dmarc=pass header.from=customer.example",
        "mx.google.com 2; dmarc=pass header.from=customer.example",
        "mx.google.com mx.evil.example; dmarc=pass header.from=customer.example",
        "mx.google.com; dmarc=pass (never closed header.from=customer.example",
        "mx.google.com; dmarc=pass) header.from=customer.example",
        'mx.google.com; dmarc=pass header.from="customer.example',
        "mx.google.com; dmarc=pass header.from=customer.example \\",
        "mx.google.com; dmarc=pass header.from=ban\u212a.example",
        "mx.google.com; dmarc=pass nonsense header.from=customer.example",
        "mx.google.com; none; dmarc=pass header.from=customer.example",
        "mx.google.com; dmarc=pass header.from=customer.example;" + " dkim=pass header.i=@evil.example;" * 200,
    ],
)
def test_what_is_not_written_so_says_nothing(value: str) -> None:
    assert parse_results(value) is None


@pytest.mark.parametrize(
    "value",
    [
        # an envelope address that closes the comment it is printed in
        "mx.google.com; spf=pass (google.com: domain of a) smtp.mailfrom=a; dmarc=pass header.from=v.example;"
        " x=y (b@evil.example designates 192.0.2.1) smtp.mailfrom=a@evil.example",
        "mx.google.com; spf=pass (google.com: domain of a) x.y=z; dmarc=pass header.from=v.example;"
        " spf=pass (b@evil.example designates 192.0.2.1) smtp.mailfrom=a@evil.example",
        "mx.google.com; spf=pass (domain of a); dmarc=pass header.from=v.example (b@evil.example)"
        " smtp.helo=evil.example",
        "mx.google.com; dmarc=pass header.from=v.example; dmarc=fail header.from=v.example",
    ],
)
def test_verdicts_that_a_sender_may_have_slipped_in_are_not_sound(value: str) -> None:
    results = parse_results(value)
    assert results is not None
    assert not is_sound(results)


PARTS = [
    "mx.google.com",
    ";",
    "dmarc",
    "=",
    "pass",
    "header.from",
    "(",
    ")",
    '"',
    "\\",
    " ",
    "\r\n\t",
    ".",
    "/",
    "1",
    "é",
]


@given(st.text(max_size=200) | st.lists(st.sampled_from(PARTS), max_size=60).map("".join))
def test_any_text_is_read_or_refused(value: str) -> None:
    results = parse_results(value)
    assert results is None or all(verdict.method and verdict.result for verdict in results.verdicts)


@given(st.lists(st.sampled_from(["a", "(", ")", " ", "\\("]), max_size=30).map("".join))
def test_nothing_inside_a_comment_comes_through(inside: str) -> None:
    closed = strip_comments(f"({inside})")
    if closed is not None and strip_comments(inside) is not None:
        assert not closed.strip()


words = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
values = st.text('abc ;()"\\=@.', max_size=8)
verdicts = st.builds(
    Verdict, words, words, st.lists(st.tuples(st.builds("{}.{}".format, words, words), values), max_size=3).map(tuple)
)


def write(verdict: Verdict) -> str:
    """As a receiver writes it that quotes every value."""
    escaped = [(name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in verdict.properties]
    return f"{verdict.method}={verdict.result} (c;(c) \\) c) " + " ".join(
        f'{name}="{value}"' for name, value in escaped
    )


@given(st.lists(verdicts, max_size=4).map(tuple))
def test_what_was_written_is_read_again(given_verdicts: tuple[Verdict, ...]) -> None:
    text = "; ".join(["mx.google.com", *map(write, given_verdicts)])
    assert parse_results(text) == Results("mx.google.com", given_verdicts)
