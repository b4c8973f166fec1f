"""All spellings of a number are one number."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from channels.phone_numbers import read_number, unify_number

DIGITS = some.text("0123456789", min_size=5, max_size=13)
NUMBERS = some.builds("+{}{}".format, some.sampled_from("123456789"), DIGITS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+5511987654321", "+551187654321"),
        ("+5531981234567", "+553181234567"),
        ("+5491123456789", "+541123456789"),
        ("+5493512345678", "+543512345678"),
        ("+525512345678", "+5215512345678"),
    ],
)
def test_forms_of_a_mobile_number_are_one(one: str, other: str) -> None:
    assert unify_number(one) == unify_number(other) == one


@pytest.mark.parametrize(
    "number",
    ["+551133334444", "+5511933334444", "+55119876543210", "+52551234567", "+52155123456789", "+54112345678",
     "+4915112345678", "+14155238886", "+15550001111", "+521551234567", "", "BR.1349120865530274", "+5511 87654321"],
)  # fmt: skip
def test_other_numbers_stay_as_they_are(number: str) -> None:
    assert unify_number(number) == number


@given(NUMBERS)
def test_canonical_form_stays_what_it_is(number: str) -> None:
    once = unify_number(number)
    assert unify_number(once) == once
    assert read_number(once) == once


@given(NUMBERS.filter(lambda number: not number.startswith(("+55", "+54", "+52"))))
def test_numbers_of_other_countries_are_never_touched(number: str) -> None:
    assert unify_number(number) == number


@given(some.from_regex(r"\+55[1-9][0-9][6-9][0-9]{7}", fullmatch=True))
def test_every_brazilian_mobile_gets_its_ninth_digit_once(number: str) -> None:
    assert unify_number(number) == number[:5] + "9" + number[5:]


@pytest.mark.parametrize(
    "text",
    ["+5511987654321", "whatsapp:+5511987654321", " 55 11 98765-4321", "+55 (11) 8765-4321", "+55.11.98765.4321",
     "whatsapp: +55 11 8765 4321"],
)  # fmt: skip
def test_typed_number_is_read(text: str) -> None:
    assert read_number(text) == "+5511987654321"


@pytest.mark.parametrize("text", ["", "+", "abc", "+0123456789", "+12", "1" * 30, "BR.1349120865530274", "٣٣٣٣٣٣٣٣٣٣"])
def test_what_is_no_number_is_not_read(text: str) -> None:
    assert read_number(text) is None
