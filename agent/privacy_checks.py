"""Check digits: what tells a card, an account or a national id from any other number of its length."""

ISSUERS: tuple[tuple[int, int, int, int], ...] = (
    # digits of the prefix read as a number from .. to, length of the card from .. to
    # not 13 for a 4: no such card is valid any more, and many German numbers and bar codes look like one
    (4, 4, 16, 16), (4, 4, 18, 19), (34, 34, 15, 15), (37, 37, 15, 15), (51, 55, 16, 16),
    (2221, 2720, 16, 16), (300, 305, 14, 19), (36, 36, 14, 19), (38, 39, 14, 19), (3528, 3589, 16, 19),
    (60, 65, 16, 19), (66, 69, 16, 19), (81, 82, 16, 16), (50, 50, 16, 19), (56, 58, 16, 19),
    (2200, 2204, 16, 19), (9792, 9792, 16, 16), (5018, 5018, 13, 15), (5020, 5020, 13, 15), (5038, 5038, 13, 15),
    (5893, 5893, 13, 15), (6304, 6304, 13, 15), (6759, 6763, 13, 15),
)  # fmt: skip
VERHOEFF_TURN = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4))
DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
ODD_PLACES = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
CNPJ_WEIGHTS = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


def is_card(digits: str) -> bool:
    """Luhn, and a prefix and length that some issuer uses."""
    return is_issued(digits) and passes_luhn(digits)


def is_issued(digits: str) -> bool:
    return any(
        shortest <= len(digits) <= longest and first <= int(digits[: len(str(first))]) <= last
        for first, last, shortest, longest in ISSUERS
    )


def passes_luhn(digits: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def is_iban(signs: str) -> bool:
    """ISO 7064 mod 97. signs: letters and digits, letters in upper case."""
    moved = signs[4:] + signs[:4]
    return int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


def passes_verhoeff(digits: str) -> bool:
    """The check of Aadhaar numbers."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = multiply_turns(check, turn(int(digit), place))
    return check == 0


def turn(digit: int, times: int) -> int:
    for _ in range(times % 8):
        digit = VERHOEFF_TURN[1][digit]
    return digit


def multiply_turns(one: int, other: int) -> int:
    """Two elements of the group of the symmetries of a pentagon."""
    if one < 5:
        return (one + other) % 5 if other < 5 else (one + other) % 5 + 5
    return (one - other) % 5 + 5 if other < 5 else (one - other) % 5


def is_spanish(signs: str) -> bool:
    """A DNI or NIE, whose letter is its check. signs: letters and digits, letters in upper case."""
    number = signs[:-1].translate(str.maketrans("XYZ", "012"))
    return DNI_LETTERS[int(number) % 23] == signs[-1]


def is_french(signs: str) -> bool:
    """A NIR of 15 signs with its key; Corsica writes 2A and 2B."""
    number = signs[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(number) % 97 == int(signs[13:])


def is_italian(signs: str) -> bool:
    """A codice fiscale of 16 signs with its check letter."""
    values = [int(sign, 36) - 10 if sign.isalpha() else int(sign) for sign in signs[:15]]
    total = sum(value if place % 2 else ODD_PLACES[value] for place, value in enumerate(values))
    return total % 26 == ord(signs[15]) - ord("A")


def is_dutch(digits: str) -> bool:
    """A BSN of 9 digits by the test of eleven."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    total = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True))
    return total % 11 == 0 and int(digits) > 0


def is_german(digits: str) -> bool:
    """A tax id of 11 digits, ISO 7064 mod 11,10."""
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return digits[0] != "0" and (11 - product) % 10 == int(digits[10])


def is_cpf(digits: str) -> bool:
    """A Brazilian person's number of 11 digits."""
    if len(set(digits)) == 1:
        return False
    return all(
        sum(int(digit) * (place + 1 - at) for at, digit in enumerate(digits[:place])) * 10 % 11 % 10
        == int(digits[place])
        for place in (9, 10)
    )


def is_cnpj(signs: str) -> bool:
    """A Brazilian company's number of 14 signs, the newer ones with letters. signs: letters in upper case."""
    if len(set(signs)) == 1:
        return False
    return all(
        (-sum((ord(sign) - 48) * weight for sign, weight in zip(signs, CNPJ_WEIGHTS[13 - place :], strict=False)))
        % 11 % 10 == int(signs[place])
        for place in (12, 13)
    )  # fmt: skip


def is_turkish(digits: str) -> bool:
    """A TCKN of 11 digits with its two check digits."""
    numbers = [int(digit) for digit in digits]
    tenth = (sum(numbers[:9:2]) * 7 - sum(numbers[1:8:2])) % 10
    return numbers[0] != 0 and tenth == numbers[9] and sum(numbers[:10]) % 10 == numbers[10]
