"""National ids that prove themselves: by a check digit, by a form nothing else has, or by the word beside them."""

from agent.privacy_checks import (
    is_cnpj,
    is_cpf,
    is_dutch,
    is_french,
    is_german,
    is_italian,
    is_spanish,
    is_turkish,
    passes_verhoeff,
)
from agent.privacy_rules import NUMBER_END, NUMBER_START, Finder, keep_digits, keep_signs, match_values

BESIDE = r"\b[^0-9\n<>]{0,24}"
"""What may stand between a word and the number it is about."""
CODE_DIGIT = "[0-9LMNPQRSTUV]"
"""In an Italian code a letter stands for a digit where two people would have the same one."""

IDS: tuple[Finder, ...] = (
    # United States, social security
    match_values(rf"{NUMBER_START}(?!000|666|9)[0-9]{{3}}-(?!00)[0-9]{{2}}-(?!0000)[0-9]{{4}}(?!-){NUMBER_END}"),
    match_values(
        rf"\b(?:ssn|social security){BESIDE}"
        rf"(?P<value>(?!000|666|9)[0-9]{{3}} ?(?!00)[0-9]{{2}} ?[0-9]{{4}}){NUMBER_END}"
    ),
    # United Kingdom, national insurance
    match_values(
        rf"{NUMBER_START}(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
        rf"(?: ?[0-9]{{2}}){{3}} ?[A-D]{NUMBER_END}"
    ),
    # Spain, DNI and NIE
    match_values(
        rf"{NUMBER_START}(?:[0-9]{{2}}\.?[0-9]{{3}}\.?[0-9]{{3}}|[XYZ][ -]?[0-9]{{7}})[ -]?[A-HJ-NP-TV-Z]{NUMBER_END}",
        lambda text: is_spanish(keep_signs(text)),
    ),
    # France, NIR with its key
    match_values(
        rf"{NUMBER_START}[1-478](?: ?[0-9]{{2}}){{2}} ?(?:[0-9]{{2}}|2[AB])"
        rf"(?: ?[0-9]{{3}}){{2}} ?[0-9]{{2}}{NUMBER_END}",
        lambda text: is_french(keep_signs(text)),
    ),
    # Italy, codice fiscale
    match_values(
        rf"{NUMBER_START}[A-Z]{{6}}{CODE_DIGIT}{{2}}[A-EHLMPRST]{CODE_DIGIT}{{2}}[A-Z]{CODE_DIGIT}{{3}}[A-Z]{NUMBER_END}",
        lambda text: is_italian(text.upper()),
    ),
    # Netherlands, BSN: one number in eleven passes its test, so only beside its name
    match_values(
        rf"\b(?:bsn|burgerservicenummer|sofi-?nummer){BESIDE}"
        rf"(?P<value>[0-9]{{3,4}}[ .]?[0-9]{{2}}[ .]?[0-9]{{3}}){NUMBER_END}",
        lambda text: is_dutch(keep_digits(text).zfill(9)),
    ),
    # Germany, tax id
    match_values(
        r"\b(?:steuer-?id(?:entifikationsnummer|-?nr|-?nummer)?|steuerliche identifikationsnummer|id-?nr|tin|tax id)"
        rf"{BESIDE}(?P<value>[1-9][0-9](?: ?[0-9]{{3}}){{3}}){NUMBER_END}",
        lambda text: is_german(keep_digits(text)),
    ),
    # India, Aadhaar and PAN
    match_values(
        rf"{NUMBER_START}(?<![0-9] )[2-9][0-9]{{3}}([ -])[0-9]{{4}}\1[0-9]{{4}}(?! [0-9]{{4}}){NUMBER_END}",
        lambda text: passes_verhoeff(keep_digits(text)),
    ),
    match_values(
        rf"(?:\baadhaar|\baadhar|\buidai|आधार){BESIDE}(?P<value>[2-9][0-9]{{11}}){NUMBER_END}",
        lambda text: passes_verhoeff(keep_digits(text)),
    ),
    match_values(rf"{NUMBER_START}[A-Z]{{3}}[ABCFGHJLPT][A-Z][0-9]{{4}}[A-Z]{NUMBER_END}"),
    # Brazil, CPF and CNPJ; Turkey, TCKN
    match_values(
        rf"{NUMBER_START}[0-9]{{3}}\.[0-9]{{3}}\.[0-9]{{3}}[- ][0-9]{{2}}{NUMBER_END}",
        lambda text: is_cpf(keep_digits(text)),
    ),
    match_values(
        rf"{NUMBER_START}[0-9]{{11}}{NUMBER_END}",
        lambda text: is_cpf(keep_digits(text)) or is_turkish(keep_digits(text)),
    ),
    match_values(
        rf"{NUMBER_START}(?:[0-9A-Z]{{2}}\.[0-9A-Z]{{3}}\.[0-9A-Z]{{3}}/[0-9A-Z]{{4}}-[0-9]{{2}}|[0-9]{{14}}){NUMBER_END}",
        lambda text: is_cnpj(keep_signs(text)),
    ),
)
"""Where national ids stand."""
