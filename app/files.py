"""What a browser may do with a file that a customer sent."""

SHOWN = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
"""What a browser may show, and what its name ends with."""
ENDINGS = {
    "application/pdf": "pdf", "text/plain": "txt", "text/csv": "csv", "text/vcard": "vcf", "audio/ogg": "ogg",
    "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/amr": "amr", "audio/aac": "aac", "video/mp4": "mp4",
    "video/3gpp": "3gp", "image/heic": "heic", "application/zip": "zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
}  # fmt: skip
"""What a file is saved as."""


def name_ending(kind: str) -> str:
    """What the name of a file of this media type ends with."""
    return SHOWN.get(kind) or ENDINGS.get(kind, "bin")
