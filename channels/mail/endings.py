"""What programs, companies and mailing lists write below a mail."""

import re

from channels.mail.quote_marks import LONGEST, WORDS, Lines, is_rule, list_words

DEVICE, PROGRAMS = list_words(WORDS["device"]), list_words(WORDS["programs"])
FOOTER, NOTICE, ABOUT = list_words(WORDS["footer"]), list_words(WORDS["notice"]), list_words(WORDS["notice_about"])
THIS = list_words(WORDS["this"])
BELOW_RULE = FOOTER + list_words(WORDS["list"])
REACH = 80  # lines from the end in which a signature may begin
LONG_SIGNATURE, SIGNATURE, CARD = 60, 15, 8  # lines that are not blank: below "-- ", below "--", below any other rule
OPENING = 120  # characters in which a notice says that it is about the mail
CARD_WIDTH = 70  # characters
NOTICE_SIZE = 80  # characters; a legal notice is never shorter
CONTACT = re.compile(r"\S@\S|www\.|https?:|(?:\d\W{0,3}){7}")
NAME = re.compile(r"[^\W\d_][^\d@:!?]{1,40}")
LINK = re.compile(r"<[^<>]*>|\([^()]*\)|\[[^\[\]]*\]")


def find_ending(lines: Lines, first: int, end: int) -> int:
    """Where the sender's words end in lines `first` up to but without `end`."""
    end = skip_blank(lines, first, end)
    end = next((index for index in range(max(first, end - REACH), end) if begins_signature(lines, index, end)), end)
    while (shorter := cut_paragraph(lines, first, skip_blank(lines, first, end))) < end:
        end = shorter
    return end


def skip_blank(lines: Lines, first: int, end: int) -> int:
    while end > first and lines.is_blank(end - 1):
        end -= 1
    return end


def begins_signature(lines: Lines, index: int, end: int) -> bool:
    """Whether a rule parts the lines below it from the mail."""
    line = lines.raw[index]
    bare = line.strip()
    if bare not in ("--", "__", "—", "––") and not is_rule(line):
        return False
    below = [
        said for line, said in zip(lines.raw[index + 1 : end], lines.said[index + 1 : end], strict=True) if line.strip()
    ]
    if bare == "--":
        return len(below) <= (LONG_SIGNATURE if line.startswith("-- ") else SIGNATURE)
    return any(words in " ".join(below[:4]) for words in BELOW_RULE) or is_card(below)


def is_card(below: list[str]) -> bool:
    """A name, then short lines, one of them with an address, a link or a telephone number."""
    return (
        1 < len(below) <= CARD
        and NAME.fullmatch(below[0]) is not None
        and all(0 < len(said) <= CARD_WIDTH for said in below)
        and any(CONTACT.search(said) for said in below)
    )  # fmt: skip


def cut_paragraph(lines: Lines, first: int, end: int) -> int:
    """Where the mail ends without its last line or paragraph, if that is not the sender's."""
    if end > first and is_device(lines.said[end - 1]):
        return end - 1
    start = end
    while start > first and end - start < REACH and not lines.is_blank(start - 1):
        start -= 1
    said = " ".join(line or "" for line in lines.said[start:end])[: 10 * LONGEST]
    is_ending = said and (is_footer(said) or is_notice(said))
    if not is_ending:
        return end
    above = skip_blank(lines, first, start)
    return above - 1 if above > first and is_rule(lines.raw[above - 1]) else start


def is_device(said: str) -> bool:
    """ "Sent from my telephone", with or without a link."""
    bare = LINK.sub("", said).strip(" *_->.")
    return (
        len(bare) <= 80
        and not set("?!") & set(bare)
        and bare.startswith(DEVICE)
        and any(program in bare for program in PROGRAMS)
    )


def is_footer(said: str) -> bool:
    """A program's line begins with its words or, like the notices, with the mail itself."""
    is_about_mail = any(word in said[:OPENING] for word in ABOUT)
    return said.startswith(FOOTER) or (
        is_about_mail and said.startswith(THIS) and any(words in said for words in FOOTER)
    )


def is_notice(said: str) -> bool:
    return (
        len(said) >= NOTICE_SIZE
        and any(word in said[:OPENING] for word in ABOUT)
        and sum(stem in said for stem in NOTICE) >= 2
    )  # fmt: skip
