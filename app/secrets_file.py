"""Secrets that nobody set, for a desk on one machine: drawn once, kept beside the data, readable by the owner alone."""

import json
import os
import secrets

from pydantic import SecretStr

from app.settings import Settings

GENERATED = ("admin_token", "app_secret")


def recall_secrets(settings: Settings) -> Settings:
    """The settings with what an earlier start drew, for every command that works beside the embedded Postgres."""
    path = settings.state_folder / "secrets.json"
    if settings.database_url is not None or not path.exists():
        return settings
    kept = json.loads(path.read_text())
    known = {name: SecretStr(kept[name]) for name in GENERATED if getattr(settings, name) is None and name in kept}
    return settings.model_copy(update=known)


def fill_in_secrets(settings: Settings) -> tuple[Settings, list[str]]:
    """The settings with ADMIN_TOKEN and APP_SECRET present, and the names of those drawn just now."""
    path = settings.state_folder / "secrets.json"
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    unset = [name for name in GENERATED if getattr(settings, name) is None]
    drawn = [name for name in unset if name not in kept]
    if drawn:
        kept |= {name: secrets.token_urlsafe(24) for name in drawn}
        settings.state_folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(kept, file)
    filled = {name: SecretStr(kept[name]) for name in unset}
    return settings.model_copy(update=filled), [name.upper() for name in drawn]
