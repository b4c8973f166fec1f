"""What a customer asks: their sentences put together again, each question with what it is not understood without."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.extract import ASKS_WAY, list_stems
from agent.queries import COURTESY, GREETING, clean_text, list_keywords
from agent.words import LIST_MARK, WORD, fold, list_words, split_sentences

MAX_ASKED = 3
"""Questions of one burst that are told apart; with more of them the whole is one."""
MAX_QUERY_WORDS = 60
ENOUGH_WORDS = 20
"""A search of the questions alone that is shorter takes in the sentences around them."""
LONG_LINE = 45  # characters; a shorter line was ended by its writer, not by a mail program
FEW_WORDS = 3
TELLING_WORDS = 2
SHORT_TEXT = 12  # words
MAX_SITUATION = 10  # words
SENTENCE_END = re.compile(r"[.!?…:;,。！？][\"')\]”»]*\s*$")
NAME_LINE = re.compile(r"(?:[A-Z][\w.'-]*\s*){1,3}")
"""Who writes, under what they wrote."""
QUESTION = re.compile(r"[?？؟]\s*$")
QUESTION_END = re.compile(r"(?<=[?？؟])\s+")
REFERS = re.compile(
    r"\b(?:it|its|that|this|these|those|them|there|then|they|ones?|das|es|dies\w*|dort|davon|dafur|dann|denen|ca|cela|ceci"
    r"|celui|celle|eso|esto|ello|isso|isto|questo|quello|ci|dat|dit|daar|ervan|to|tego|bunu|onu|iska|uska|woh|yeh)\b"
)
"""A question with one of these may lean on the sentence before it."""
GOES_ON = re.compile(
    r"(?:and|or|but|also|what about|how about|no|sorry|ok|okay|great|und|oder|nein|aber|auch|et|ou|mais|non|y|o|pero|no"
    r"|e|ou|mas|nao|ma|of|en|maar|nee|a|ale|nie|ve|ya|hayir|aur|lekin|nahi)\b[ ,]"
)
WISH = re.compile(
    r"\b(?:i|we|please|tell|know|wonder\w*|ich|wir|bitte|je|nous|quier\w*|quisiera|necesit\w*|quero|queria|gostaria"
    r"|preciso|vorrei|voglio|ik|wij|prosze|lutfen)\b"
)
ASSENT = re.compile(
    r"(?:yes|yeah|yep|sure|ok(?:ay)?|please|yes please|please do|do that|go ahead|that would be (?:great|good|nice)"
    r"|ja|ja bitte|gerne|ja gerne|bitte|oui|oui merci|volontiers|s'il vous plait|oui s'il vous plait|si|si por favor"
    r"|por favor|claro|sim|sim por favor|si grazie|volentieri|per favore|graag|ja graag|tak|tak prosze|poprosze"
    r"|evet|evet lutfen|lutfen|haan|ji|ji haan|haan ji|jee|да|да пожалуиста|نعم|نعم من فضلك|हा|जी हा|はい|お願いします"
    r"|はいお願いします|是|是的|好的|好)"
)
"""A whole message that only says yes."""
CORRECTS = re.compile(
    r"(?:(?:no|nope|wait|sorry|oh|ah|actually|nein|non|no|nao|nee|nie|hayir|nahi)\b[ ,.!]*){0,3}"
    r"(?:(?:i|we) (?:actually )?(?:meant?|was asking|said (?:it|that) wrong)|not (?:that|this)|that(?:'?s| is) not what"
    r"|ich (?:meinte|meine)|das meinte ich nicht|je (?:voulais dire|parlais)|me referia|quise decir|quis dizer"
    r"|intendevo|volevo dire|ik bedoel\w*|chodzilo mi|mialem na mysli|demek istedi\w*|mera matlab)\b"
)
"""How a message begins that says we answered another question than theirs."""
SHOWN = (
    r"(?:\w+ )?(?:screen ?shots?|pictures?|photos?|images?|attachments?|videos?|recordings?|voice (?:messages?|notes?))"
)
ASKS_SEEN = re.compile(
    r"\b(?:did|have|had) you\b.{0,20}\b(?:see|seen|get|got|receiv\w*|look\w*|open\w*|hear\w*|watch\w*|check\w*)\b"
    r".{0,12}"
    rf"\b(?:my|the|our|that) (?:{SHOWN}|files?|documents?|pdf)\b"
    rf"|\b(?:can|could) you (?:see|open|hear|watch|look at|view|check) (?:my|our|that) {SHOWN}\b"
    r"|\b(?:screenshot|bildschirmfoto|anhang|sprachnachricht|foto|bild|video|datei)\b.{0,20}"
    r"\b(?:gesehen|bekommen|erhalten|angehort|angesehen|geoffnet)\b"
    r"|\bavez[- ]vous\b.{0,12}\b(?:vu|recu|ouvert|ecoute)\b"
    r"|\b(?:ha|han|has) (?:visto|recibido|abierto|escuchado|ricevuto|aperto)\b.{0,12}\b(?:captura|foto|imagen|archivo"
    r"|adjunto|audio|video|immagine|allegato|file|schermata)\b"
    r"|\b(?:viu|recebeu|abriu|ouviu)\b.{0,12}\b(?:captura|foto|imagem|arquivo|anexo|audio|video)\b"
    r"|\b(?:schermafbeelding|foto|bijlage|bestand|spraakbericht)\b.{0,12}\b(?:gezien|ontvangen|gekregen|geopend)\b"
)
"""Whether we saw what they sent: never a question for an article."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: its own words, and with the sentence it leans on."""

    text: str
    full: str

    @property
    def telling(self) -> str:
        """Its own words where they say what it is about, else all."""
        return self.full if len(list_stems(self.text)) < TELLING_WORDS else self.text


def list_asked(text: str) -> list[Asked]:
    """The questions of a text in order; all of it as one where none is marked as a question or there are many."""
    sentences = list_sentences(text)
    asked = [
        Asked(" ".join(sentences[at] for at in own), " ".join(sentences[at] for at in full))
        for own, full in list_marked(sentences)
    ]
    whole = " ".join(sentences)
    if not 0 < len(asked) <= MAX_ASKED:
        return [Asked(whole, whole)] if whole else []
    return asked


def list_marked(sentences: Sequence[str]) -> list[tuple[list[int], list[int]]]:
    """For each question the places of its own sentences and of those it is understood with. One of hardly a word
    ("Possible?") belongs to its neighbour."""
    marked: list[tuple[list[int], list[int]]] = []
    for at, sentence in enumerate(sentences):
        if not is_ask(sentence):
            continue
        full = [at - 1, at] if leans(sentences, at) else [at]
        if marked and (is_bare(sentence) or is_bare(" ".join(sentences[own] for own in marked[-1][0]))):
            own, before = marked.pop()
            marked.append(([*own, at], sorted({*before, *full})))
        else:
            marked.append(([at], full))
    return marked


def is_bare(text: str) -> bool:
    return len(text.split()) <= FEW_WORDS or not list_stems(text)


def list_situations(text: str) -> list[str]:
    """The short sentences that say how it stands ("I am locked out") beside what is asked."""
    sentences = list_sentences(text)
    return [s for s in sentences if not is_ask(s) and len(s.split()) <= MAX_SITUATION] if len(sentences) > 1 else []


def list_sentences(text: str) -> list[str]:
    """The sentences of a text without greeting and courtesies, wherever its lines were broken."""
    sentences = [part for s in split_sentences(unwrap(clean_text(text))) for part in QUESTION_END.split(s)]
    kept = [s for s in sentences if not GREETING.match(fold(s)) and not COURTESY.match(fold(s))]
    return kept[:-1] if len(kept) > 1 and NAME_LINE.fullmatch(kept[-1]) else kept


def unwrap(text: str) -> str:
    """Lines that a mail program broke joined again; paragraphs, list items and short lines stay as they are."""
    lines: list[str] = []
    last = ""
    for line in text.splitlines():
        if line.strip() and len(last) >= LONG_LINE and not ends_sentence(last) and not LIST_MARK.match(line):
            lines[-1] = f"{lines[-1].rstrip()} {line.strip()}"
        else:
            lines.append(line)
        last = line
    return "\n".join(lines)


def ends_sentence(line: str) -> bool:
    return bool(SENTENCE_END.search(line)) and not line.rstrip().endswith(",")


def is_ask(sentence: str) -> bool:
    """A question, by its mark or by its words ("please tell me how to ...")."""
    folded = fold(sentence)
    return bool(QUESTION.search(sentence) or (ASKS_WAY.search(folded) and WISH.search(folded)))


def leans(sentences: Sequence[str], at: int) -> bool:
    """Whether a question needs the sentence before it: it is short or points back."""
    own = sentences[at]
    return at > 0 and (len(list_keywords(own).split()) <= FEW_WORDS or REFERS.search(fold(own)) is not None)


def list_telling(text: str) -> list[str]:
    """The sentences to search with, in order: the questions, what they lean on, and what stands nearest before them
    as long as that makes no long search."""
    sentences = list_sentences(text)
    chosen = {at for _, full in list_marked(sentences) for at in full} or set(range(len(sentences)))
    words = sum(len(sentences[at].split()) for at in chosen)
    for at in sorted(set(range(len(sentences))) - chosen, key=lambda at: min(abs(at - other) for other in chosen)):
        words += len(sentences[at].split())
        if words > ENOUGH_WORDS:
            break
        chosen.add(at)
    return [sentences[at] for at in sorted(chosen)]


def write_query(text: str, subject: str) -> str:
    """What is asked as a search, with its subject; "" for nothing to search."""
    return " ".join(" ".join(filter(None, (subject, *list_telling(text)))).split()[:MAX_QUERY_WORDS])


def write_keywords(text: str, subject: str) -> str:
    """The telling words of the subject and of what is asked, each once."""
    parts = (subject, *list_telling(text))
    return " ".join(dict.fromkeys(word for part in parts for word in list_keywords(part).split()))


def leans_back(text: str) -> bool:
    """Whether a message is not understood without the ones before it: "and on Pro?", "how long does that take?"."""
    folded = fold(" ".join(text.split()))
    words = list_words(text)
    if len(list_keywords(text).split()) <= 1:
        return True
    return len(words) <= 2 * SHORT_TEXT and bool(GOES_ON.match(folded) or REFERS.search(folded))


def corrects(text: str) -> bool:
    """Whether a message says that something else was meant than what we answered."""
    return bool(CORRECTS.match(fold(" ".join(text.split()))))


def is_assent(text: str) -> bool:
    """Whether a message says yes and nothing else."""
    words = WORD.findall(fold(text))
    return any(ASSENT.fullmatch(joint.join(words)) for joint in (" ", ""))


def asks_whether_seen(text: str) -> bool:
    """Whether a short message only asks if we saw, heard or got what they sent."""
    return len(list_words(text)) <= SHORT_TEXT and bool(ASKS_SEEN.search(fold(" ".join(text.split()))))
