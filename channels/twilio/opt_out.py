"""The words with which a customer wants to hear no more from us, and those with which they want to again."""

import unicodedata
from typing import Literal

Wish = Literal["stop", "start"]

# Only what can mean nothing else: CANCEL, END, QUIT, NO, BAJA (also "low") or ABMELDEN (also "log out") may answer a
# question of ours. STOP is used in all these languages, and who writes it is told in English.
STOP_WORDS = {
    "en": ("stop", "stopall", "unsubscribe"),
    "es": ("desuscribir", "desuscribirme", "desuscribirse"),
    "pt": ("pare", "parar", "descadastrar", "desinscrever"),  # parar is Spanish too, and read by both
    "fr": ("arret", "desabonner", "desinscrire"),
    "de": ("stopp", "abbestellen", "austragen"),
    "it": ("disiscrivi", "disiscrivimi", "disiscrivermi"),
    "nl": ("afmelden", "uitschrijven"),
}
"""By language, without accents."""
LANGUAGES = {word: language for language, words in STOP_WORDS.items() for word in words}
START_WORDS = ("start", "unstop")

FAREWELLS = {
    "en": "You will get no more messages from us here. Write START to hear from us again.",
    "es": "Ya no recibirás más mensajes nuestros aquí. Escribe START para volver a recibirlos.",
    "pt": "Você não receberá mais mensagens nossas por aqui. Escreva START para voltar a receber.",
    "fr": "Vous ne recevrez plus de messages de notre part ici. Écrivez START pour en recevoir à nouveau.",
    "de": "Sie erhalten hier keine Nachrichten mehr von uns. Schreiben Sie START, um wieder von uns zu hören.",
    "it": "Qui non riceverà più messaggi da noi. Scriva START per riceverne di nuovo.",
    "nl": "U krijgt hier geen berichten meer van ons. Schrijf START om weer van ons te horen.",
}


def read_wish(text: str) -> Wish | None:
    """What a message wishes when it consists of nothing but such a word; None for every other message."""
    word = fold(text)
    if word in LANGUAGES:
        return "stop"
    return "start" if word in START_WORDS else None


def say_farewell(text: str) -> str:
    """The last words to somebody who wrote this, in the language of their word."""
    return FAREWELLS[LANGUAGES.get(fold(text), "en")]


def fold(text: str) -> str:
    """A word in small letters, without accents and without the punctuation around it."""
    if len(text) > 40:  # no such word is as long, and a message may be
        return ""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    letters = [place for place, letter in enumerate(plain) if letter.isalnum()]
    return plain[letters[0] : letters[-1] + 1].casefold() if letters else ""
