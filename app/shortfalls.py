"""What is off or doubtful for want of a setting, said so that whoever sets it up knows what to do next."""

from urllib.parse import urlsplit

from app.settings import Settings

WHATSAPP_NEEDS = ("twilio_account_sid", "twilio_auth_token", "twilio_whatsapp_from", "app_secret")
WHATSAPP_KEY = ("twilio_signature_key_sid", "twilio_signature_secret")
GMAIL_CLIENT = ("gmail_client_id", "gmail_client_secret")
GMAIL_PUSH = ("gmail_pubsub_topic", "gmail_pubsub_service_account")


def list_unset(settings: Settings, names: tuple[str, ...]) -> list[str]:
    """Those of the named settings that are unset, as environment variables."""
    return [name.upper() for name in names if getattr(settings, name) is None]


def missing(settings: Settings) -> list[str]:
    """What is off and which setting would turn it on, and what is doubtful, one line each."""
    return [*list_off(settings), *list_doubts(settings)]


def list_doubts(settings: Settings) -> list[str]:
    """What is set and may not do what was meant, one line each."""
    lines: list[str] = []
    if settings.has_whatsapp and urlsplit(settings.public_base_url).hostname in ("localhost", "127.0.0.1", "::1"):
        lines.append(f"{settings.public_base_url} is a local address: Twilio reaches it only from this machine")
    if settings.gmail_push and not settings.is_https:
        lines.append(f"{settings.public_base_url} is not https: Google cannot tell us of new mail there")
    unset = list_unset(settings, GMAIL_PUSH)
    if settings.has_gmail and len(unset) == 1:
        lines.append(f"Google does not tell us of new mail, we look for it ourselves: set {unset[0]} too")
    return lines


def list_off(settings: Settings) -> list[str]:
    """What is off and which setting would turn it on, one line each."""
    key = list_unset(settings, WHATSAPP_KEY)  # one without the other says nothing of what Twilio signs with
    unset = list_unset(settings, WHATSAPP_NEEDS) + (key if len(key) == 1 else [])
    lines = [f"WhatsApp is off: set {', '.join(unset)}"] if unset else []
    if not settings.has_gmail:
        lines.append(f"Gmail is off: {say_gmail_step(settings)}")
    if not settings.has_model:
        unset = list_unset(settings, ("openai_api_key", "openai_model"))
        lines.append(f"no model is set, the offline model answers: set {', '.join(unset)}")
    unset = list_unset(settings, ("fallback_base_url", "fallback_model"))
    if len(unset) == 1:
        lines.append(f"the fallback model is off: set {', '.join(unset)}")
    if settings.admin_token is None:
        lines.append("ADMIN_TOKEN is not set: people of the team log in without it, the first admin is invited with it")
    return lines


def say_gmail_step(settings: Settings) -> str:
    """The next thing to do for Gmail: it is done in an order, and the last setting comes from a command of ours."""
    unset = list_unset(settings, ("gmail_address", *GMAIL_CLIENT))
    if unset:
        return f"set {', '.join(unset)}, docs/channels/gmail.md shows where they come from"
    return "run python -m app gmail auth, which makes GMAIL_REFRESH_TOKEN"
