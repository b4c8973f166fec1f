"""One-time codes, as RFC 6238 counts them."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from app.totp import derive_secret, find_step, make_code, make_link, show_secret
from tests.app.desk import make_settings

SECRET = b"12345678901234567890"  # of the RFC's appendix B, whose codes have eight digits


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"),
        (2_000_000_000, "279037"), (20_000_000_000, "353130"),
    ],
)  # fmt: skip
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    assert make_code(SECRET, seconds // 30) == code
    assert find_step(SECRET, code, now=seconds) == seconds // 30


def test_a_clock_may_be_off_by_one_step_and_no_more() -> None:
    now = 1_234_567_890
    steps = {off: find_step(SECRET, make_code(SECRET, now // 30 + off), now=now) for off in range(-3, 4)}
    assert steps == {-3: None, -2: None, **{off: now // 30 + off for off in (-1, 0, 1)}, 2: None, 3: None}


@pytest.mark.parametrize("code", ["", "28708", "2870820", "28708x", "٢٨٧٠٨٢", "287082\0", "-287082"])
def test_what_is_no_code_is_wrong(code: str) -> None:
    assert find_step(SECRET, code, now=59) is None


def test_a_code_may_be_typed_with_a_space() -> None:
    assert find_step(SECRET, " 287 082 ", now=59) == 1


def test_the_app_is_given_the_secret_and_whose_it_is() -> None:
    link = urlsplit(make_link(SECRET, email="kim+desk@example.com", company="Tide & Fern"))
    assert (link.scheme, link.netloc) == ("otpauth", "totp")
    assert unquote(link.path) == "/Tide & Fern:kim+desk@example.com"
    assert parse_qs(link.query) == {"secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"], "issuer": ["Tide & Fern"]}
    assert show_secret(SECRET).replace(" ", "") == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def test_the_database_alone_makes_no_codes() -> None:
    seed = "0" * 32
    secrets = {derive_secret(make_settings(APP_SECRET=secret), seed) for secret in ("one", "two")}
    assert len(secrets) == 2
    assert all(len(secret) == 20 for secret in secrets)
