"""A mail as its sender laid it out, for a page of the team that trusts nothing in it."""

from channels.mail.charsets import decode_text
from channels.mail.parts import is_body, list_leaves, split_mail

MAX_HTML = 200_000  # characters


def find_html(raw: bytes) -> str | None:
    """The first HTML part that is no file, cut; None where the mail has none. Nothing in it is made safe here."""
    for part in list_leaves(split_mail(raw)):
        if part.type == "text/html" and is_body(part):
            return decode_text(part.decode(), part.parameters.get("charset", ""))[:MAX_HTML]
    return None
