"""The words with which a customer wants to hear no more from us, and those with which they want to again."""

import re
import unicodedata
from typing import Literal

Wish = Literal["stop", "start"]

# Only what can mean nothing else: CANCEL, END, QUIT, NO, BAJA (also "low") or ABMELDEN (also "log out") may answer a
# question of ours. STOP is used in all these languages, and who writes it is told in English.
STOP_WORDS = {
    "en": ("stop", "stopall", "unsubscribe", "optout", "pleasestop", "stopplease"),
    "es": ("desuscribir", "desuscribirme", "desuscribirse"),
    "pt": ("pare", "parar", "descadastrar", "desinscrever"),  # parar is Spanish too, and read by both
    "fr": ("arret", "desabonner", "desinscrire"),
    "de": ("stopp", "abbestellen", "austragen"),
    "it": ("disiscrivi", "disiscrivimi", "disiscrivermi"),
    "nl": ("afmelden", "uitschrijven"),
}
"""By language, without accents and blanks."""
LANGUAGES = {word: language for language, words in STOP_WORDS.items() for word in words}
PLEAS = {
    "en": r"(please )?(stop (writing|messaging|texting|contacting|messages)|(do not|dont) (write|message|text|contact))"
    r"( to)?( me| us)?( any ?more| again)?( please)?"
    r"|(please )?(stop sending|(do not|dont) send|no more)( me| us)?( any)?( more)?( messages| texts)"
    r"( any ?more| again)?( please)?",
    "es": r"(por favor )?(no me escriban? mas|dejen? de escribirme|no quiero (recibir )?mas mensajes)( por favor)?",
    "pt": r"(por favor )?(parem? de me escrever|nao me escrevam? mais|nao quero (receber )?mais mensagens)"
    r"( por favor)?",
    "fr": r"(ne m ecrivez plus|arretez de m ecrire|je ne veux plus (recevoir )?de messages)( s il vous plait| svp)?",
    "de": r"(bitte )?(schreiben sie|schreibt|schreib) mir (bitte )?nicht mehr"
    r"|(bitte )?keine (weiteren )?nachrichten mehr( bitte)?|(horen sie|hort|hor) (bitte )?auf mir zu schreiben",
    "it": r"(per favore )?(non scrivetemi piu|smettetela di scrivermi|non voglio piu messaggi)( per favore)?",
    "nl": r"(alstublieft )?(schrijf me niet meer|stop met berichten|geen berichten meer)( alstublieft| aub)?",
}
"""The same in a sentence and nothing besides, by language, without accents and punctuation."""
START_WORDS = ("start", "unstop")
MAX_WISH = 80  # characters: no such wish is as long, and a message may be

FAREWELLS = {
    "en": "You will get no more messages from us here. Write START to hear from us again.",
    "es": "Ya no recibirá más mensajes nuestros aquí. Escriba START para volver a recibirlos.",
    "pt": "Você não receberá mais mensagens nossas por aqui. Escreva START para voltar a receber.",
    "fr": "Vous ne recevrez plus de messages de notre part ici. Écrivez START pour en recevoir à nouveau.",
    "de": "Sie erhalten hier keine Nachrichten mehr von uns. Schreiben Sie START, um wieder von uns zu hören.",
    "it": "Qui non riceverà più messaggi da noi. Scriva START per riceverne di nuovo.",
    "nl": "U krijgt hier geen berichten meer van ons. Schrijf START om weer van ons te horen.",
}


def read_wish(text: str) -> Wish | None:
    """What a message wishes when it consists of nothing but that; None for every other message."""
    if find_language(text) is not None:
        return "stop"
    return "start" if fold(text) in START_WORDS else None


def say_farewell(text: str) -> str:
    """The last words to somebody who wrote this, in the language of their wish."""
    return FAREWELLS[find_language(text) or "en"]


def find_language(text: str) -> str | None:
    """The language in which a message says that no more is wanted; None where it does not say so."""
    said = fold(text)
    pleas = (language for language, plea in PLEAS.items() if re.fullmatch(plea, said))
    return LANGUAGES.get(said.replace(" ", "")) or next(pleas, None)


def fold(text: str) -> str:
    """Words in small letters, one blank apart, without accents and punctuation."""
    if len(text) > MAX_WISH:
        return ""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    joined = re.sub(r"(?<=n)['’](?=t\b)", "", plain.casefold())  # don't
    return " ".join(re.findall(r"[^\W_]+", joined))
