"""Passwords, keys and tokens: by the shapes their issuers gave them, and by the word beside them."""

import re
from collections import Counter
from math import log2

from agent.privacy_rules import END, START, Finder, match_values

LEAST_BITS = 2.7
"""Shannon entropy per character above which a mixture of letters and digits is no word."""
STOPS = ".,;:!?)]}\"'`*"

SHAPES = (
    r"sk-[A-Za-z0-9_-]{16,}", r"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}", r"whsec_[A-Za-z0-9+/=]{16,}",
    r"gh[pousr]_[A-Za-z0-9]{16,}", r"github_pat_[A-Za-z0-9_]{20,}", r"glpat-[A-Za-z0-9_-]{16,}",
    r"xox[a-z]-[A-Za-z0-9-]{10,}", r"xapp-[A-Za-z0-9-]{10,}", r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"AIza[A-Za-z0-9_-]{30,}", r"ya29\.[A-Za-z0-9_-]{20,}", r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,}",
    r"npm_[A-Za-z0-9]{30,}", r"hf_[A-Za-z0-9]{30,}", r"gsk_[A-Za-z0-9]{30,}", r"shp(?:at|ss|ca)_[a-f0-9]{32}",
    r"(?<!-)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?",
)  # fmt: skip
# A key cut off before its end takes the rest of its message with it, but never the tag after that.
PRIVATE_KEY = r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----(?:[^-<>]|-(?!----))*(?:-----END [A-Z0-9 ]{0,30}-----)?"

LOGIN_WORDS = (
    r"(?:password|passwd|pwd|passphrase|passcode|passwort|kennwort|mot de passe|mdp|contraseña|contrasena|clave"
    r"|senha|palavra-passe|parola(?: d'ordine)?|wachtwoord|hasło|haslo|пароль|şifre|sifre|密码|密碼|パスワード|비밀번호"
    r"|पासवर्ड|كلمة المرور|كلمة السر)"
)
KEY_WORDS = (
    r"(?:(?:api|access|secret|private|auth|licen[cs]e)[ _-]?key|key|secret|token|bearer|basic|api[- ]?schlüssel"
    r"|schlüssel|clé(?: d['’]api| api| secrète| d['’]accès)?|clave(?: de)?(?: api| secreta)?"
    r"|chave(?: de| da)?(?: api| secreta)?|chiave(?: api| segreta)?|sleutel|klucz(?: api)?|jeton|anahtar|ключ|токен"
    r"|密钥|令牌|キー|トークン|कुंजी|टोकन|مفتاح|رمز)"
)
LETTER = "A-Za-zÀ-ɏЀ-ӿ"
"""Of scripts that put blanks between words."""
BEFORE, AFTER = f"(?<![{LETTER}])", f"(?![{LETTER}_])"
IS = rf"(?:(?:is|was|ist|war|lautet|est|était|es|era|é|è|jest|to|это|dir){AFTER}|是|は|है|هي|هو)"
OPEN, CLOSE = r"[\"'`*“„«(]{0,3}", r"[\"'`*”“»)]{0,3}"
BLANKS = r"[ \t]{0,4}"
COLON = rf"{CLOSE}{BLANKS}(?::=|[:=]){BLANKS}{OPEN}"
VALUE = r"(?P<value>[^\s<>\"`“”«»\x00]{3,100}[^\s<>\"`“”«»\x00.,;:])"
RANDOM = r"(?P<value>[A-Za-z0-9][A-Za-z0-9_\-./+=~:]{11,})"
SIGNS_OF_A_PASSWORD = re.compile(r"[@#$%^*!?]")
ADDRESS = re.compile(r"[^@]+@[^@]+\.[^@.]{2,}|.*://.*|www\..*|/.*", re.IGNORECASE)


def is_strong(text: str) -> bool:
    """Whether this looks like a password wherever it stands: letters with digits, many digits, or signs within."""
    core = text.strip(STOPS)
    if len(core) < 5 or ADDRESS.fullmatch(core):
        return False
    digits = sum(sign.isdigit() for sign in core)
    has_letters = any(sign.isalpha() for sign in core)
    return (digits > 0 and (has_letters or digits >= 6)) or bool(SIGNS_OF_A_PASSWORD.search(core))


def is_random(text: str) -> bool:
    """Whether nobody would write this by hand: letters and digits mixed beyond what words and names are."""
    core = text.strip(STOPS)
    digits = sum(sign.isdigit() for sign in core)
    cases = {sign.isupper() for sign in core if sign.isalpha()}
    if len(core) < 12 or not digits or not cases or ADDRESS.fullmatch(core) or measure_bits(core) < LEAST_BITS:
        return False
    return len(cases) == 2 or digits * 5 >= len(core)


def measure_bits(text: str) -> float:
    """Shannon entropy per character."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * log2(share) for share in shares)


SHAPED: tuple[Finder, ...] = (
    match_values(PRIVATE_KEY, flags=0),
    match_values(f"{START}(?:{'|'.join(SHAPES)}){END}", flags=0),
    match_values(r"://[^\s/:@<>\x00]{0,64}:(?P<value>[^\s/@<>\x00]{1,200})@"),
)
"""Where secrets stand that their own form gives away."""

NAMED: tuple[Finder, ...] = (
    match_values(rf"{BEFORE}{KEY_WORDS}{AFTER}{CLOSE}{BLANKS}(?:(?::=|[:=]|{IS}){BLANKS})?{OPEN}{RANDOM}", is_random),
    match_values(rf"{BEFORE}{LOGIN_WORDS}{COLON}{VALUE}", is_strong),
    # a plain word only where nothing follows it: "Password: how do I reset it?" tells none
    match_values(rf"{BEFORE}{LOGIN_WORDS}{COLON}{VALUE}(?={CLOSE}{BLANKS}(?:$|[\n\r,;<]))"),
    match_values(rf"{BEFORE}{LOGIN_WORDS}[ \t]{{0,3}}{IS}[ \t:]{{0,3}}{OPEN}{VALUE}", is_strong),
    match_values(rf"{BEFORE}{LOGIN_WORDS}[ \t]{{1,3}}{OPEN}{VALUE}", is_strong),
    match_values(rf"{BEFORE}(?:cvv2?|cvc2?|cvn|csc){AFTER}[^0-9\n<>]{{0,16}}(?P<value>[0-9]{{3,4}}){END}"),
    match_values(rf"{BEFORE}pin(?:[ -]?code)?{AFTER}{BLANKS}(?:[:=]|{IS}){BLANKS}(?P<value>[0-9]{{4,8}}){END}"),
)
"""Where secrets stand that the word before them gives away."""
NAMES = re.compile(rf"{KEY_WORDS}|{LOGIN_WORDS}|cvv|cvc|cvn|csc|pin", re.IGNORECASE)
