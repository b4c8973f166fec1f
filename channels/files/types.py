"""What a file is, by its first bytes; what its sender calls it decides only between things that start alike."""

import re

BINARY = "application/octet-stream"
MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"BM", "image/bmp"),
    (b"{\\rtf", "application/rtf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"\x78\x9f\x3e\x22", "application/vnd.ms-tnef"),
    (b"MZ", "application/x-msdownload"),
    (b"\x7fELF", "application/x-executable"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"#!AMR", "audio/amr"),
    (b"OggS", "audio/ogg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
)
BRANDS = {
    b"heic": "image/heic", b"heix": "image/heic", b"mif1": "image/heic", b"avif": "image/avif", b"M4A ": "audio/mp4",
    b"3gp4": "video/3gpp", b"3gp5": "video/3gpp", b"3gp6": "video/3gpp", b"qt  ": "video/quicktime",
}  # fmt: skip
FORMS = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
OFFICE = "application/vnd.openxmlformats-officedocument."
OFFICE_NAMES = {
    ".docx": OFFICE + "wordprocessingml.document",
    ".xlsx": OFFICE + "spreadsheetml.sheet",
    ".pptx": OFFICE + "presentationml.presentation",
}
CARD = "text/vcard"
TEXTS = frozenset(
    {"text/plain", "text/csv", "text/calendar", "text/markdown", "text/xml", "application/json", CARD}
)  # fmt: skip
HTML = re.compile(rb"\s*(?:<!doctype html|<html|<head|<body)", re.IGNORECASE)
NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def find_type(sample: bytes, declared: str, name: str) -> str:
    """The media type of a file that starts with `sample`; application/octet-stream when nothing says it.

    declared: the type its part names, lower case. name: its file name, lower case.
    """
    if b"%PDF-" in sample[:1024]:
        return "application/pdf"
    if sample[4:8] == b"ftyp":
        return BRANDS.get(sample[8:12], "audio/mp4" if declared.startswith("audio/") else "video/mp4")
    if sample[:4] == b"RIFF" and sample[8:12] in FORMS:
        return FORMS[sample[8:12]]
    if declared.startswith("message/"):
        return declared
    known = next((kind for magic, kind in MAGIC if sample.startswith(magic)), None)
    if known == "application/zip":
        return find_office_type(sample, declared, name)
    return known if known and not is_short_word(sample) else find_text_type(sample, declared)


def is_short_word(sample: bytes) -> bool:
    """Whether two letters that mark a program or a picture may as well begin a word."""
    return sample[:2] in (b"BM", b"MZ") and not NOT_TEXT.search(sample)


def find_office_type(sample: bytes, declared: str, name: str) -> str:
    called = next((kind for suffix, kind in OFFICE_NAMES.items() if name.endswith(suffix) or declared == kind), None)
    return called if called and b"[Content_Types].xml" in sample[:512] else "application/zip"


def find_text_type(sample: bytes, declared: str) -> str:
    is_wide = sample.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not sample.strip() or (NOT_TEXT.search(sample) and not is_wide):
        return BINARY
    if sample.lstrip()[:11].upper() == b"BEGIN:VCARD":
        return CARD
    if HTML.match(sample) or declared == "text/html":
        return "text/html"
    if declared in TEXTS:
        return declared
    return "text/plain" if declared.startswith("text/") or is_readable(sample) else BINARY


def is_readable(sample: bytes) -> bool:
    """UTF-8, apart from a letter that the end of the sample may have cut."""
    try:
        sample.decode("utf_8")
    except UnicodeDecodeError as error:
        return error.start > len(sample) - 4 and error.start > 0
    return True
