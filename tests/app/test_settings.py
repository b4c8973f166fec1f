import inspect
import re
from pathlib import Path

import pytest

from app.settings import Settings, SettingsError, read_settings
from app.shortfalls import list_doubts, list_off, missing
from channels.twilio.account import SharedKey


def test_everything_has_a_default_but_no_secret_does() -> None:
    settings = read_settings({})
    assert settings.port == 8000
    assert settings.public_base_url == "http://localhost:8000"
    assert settings.admin_token is None
    assert settings.app_secret is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty-hidden"),
        ("PORT", "70000"),
        ("DATABASE_URL", "mysql://hidden"),
        ("PUBLIC_BASE_URL", "ftp://hidden"),
        ("PUBLIC_BASE_URL", "http://[hidden"),
        ("TURN_BUDGET_USD", "-7"),
        ("DAILY_BUDGET_USD", "nan"),
        ("EMBEDDINGS", "hidden"),
        ("OPENAI_WIRE", "hidden"),
        ("LOG_LEVEL", "hidden"),
        ("TWILIO_ACCOUNT_SID", "hidden"),
        ("TWILIO_WHATSAPP_FROM", "hidden"),
        ("GMAIL_ADDRESS", "hidden"),
        ("GMAIL_PUBSUB_TOPIC", "hidden"),
        ("GMAIL_PUBSUB_SERVICE_ACCOUNT", "hidden"),
        ("GMAIL_API_ENDPOINT", "hidden"),
        ("GMAIL_TOKEN_URI", "hidden"),
        ("GOOGLE_CERTS_URL", "hidden"),
        ("GMAIL_POLL_SECONDS", "7"),
        ("WORKER_CONCURRENCY", "1.5"),
        ("TICKET_PREFIX", "hidden"),
        ("POLL_SECONDS", "0.001"),
    ],
)
def test_bad_value_is_one_line_that_names_the_variable_and_not_the_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        read_settings({name: value})
    text = str(refusal.value)
    assert text.startswith(f"{name}: ")
    assert "\n" not in text
    assert value not in text.removeprefix(name)


def test_empty_variable_counts_as_unset() -> None:
    assert read_settings({"PORT": "", "DATABASE_URL": " "}) == read_settings({})


def test_secrets_are_not_shown() -> None:
    settings = read_settings({"ADMIN_TOKEN": "open-sesame", "DATABASE_URL": "postgres://u:open-sesame@h/d"})
    assert "open-sesame" not in repr(settings)
    assert "open-sesame" not in str(settings.model_dump())


def test_direct_url_defaults_to_the_other_one() -> None:
    assert read_settings({"DATABASE_URL": "postgres://a/b"}).listen_url == "postgres://a/b"
    both = read_settings({"DATABASE_URL": "postgres://a/b", "DATABASE_DIRECT_URL": "postgresql://c/d"})
    assert (both.query_url, both.listen_url) == ("postgres://a/b", "postgresql://c/d")


def test_render_is_reached_from_outside_under_its_own_name() -> None:
    settings = read_settings({"RENDER": "true", "RENDER_EXTERNAL_URL": "https://desk.example.com", "PORT": "10000"})
    assert (settings.host, settings.forwarded_allow_ips, settings.port) == ("0.0.0.0", "*", 10000)  # noqa: S104
    assert settings.public_base_url == "https://desk.example.com"
    assert settings.is_https


def test_start_says_which_setting_a_channel_lacks() -> None:
    lines = missing(read_settings({"OPENAI_API_KEY": "k"}))
    assert any(line.startswith("WhatsApp is off") and "TWILIO_AUTH_TOKEN" in line for line in lines)
    assert any("OPENAI_MODEL" in line for line in lines)


def test_start_says_what_the_team_can_do_without_a_staff_token() -> None:
    [line] = [line for line in missing(read_settings({})) if "ADMIN_TOKEN" in line]
    assert line == "ADMIN_TOKEN is not set: people of the team log in without it, the first admin is invited with it"
    assert not any("ADMIN_TOKEN" in line for line in missing(read_settings({"ADMIN_TOKEN": "t"})))


GMAIL = {
    "GMAIL_ADDRESS": "help@tidefern.example", "GMAIL_CLIENT_ID": "c", "GMAIL_CLIENT_SECRET": "s",
    "GMAIL_REFRESH_TOKEN": "r",
}  # fmt: skip


def test_nothing_is_missing_once_all_is_set() -> None:
    settings = read_settings(
        {
            "ADMIN_TOKEN": "t", "OPENAI_BASE_URL": "http://m", "OPENAI_MODEL": "m",
            "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_WHATSAPP_FROM": "whatsapp:+14155238886",
            "PUBLIC_BASE_URL": "https://desk.example.com", "APP_SECRET": "s",
        } | GMAIL
    )  # fmt: skip
    assert missing(settings) == []
    assert settings.whatsapp_account is not None
    assert settings.whatsapp_account.number == "+14155238886"


WHATSAPP = {
    "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_WHATSAPP_FROM": "+14155238886", "APP_SECRET": "s",
}  # fmt: skip


KEY = {"TWILIO_SIGNATURE_KEY_SID": "webhooks_sharedkey_1", "TWILIO_SIGNATURE_SECRET": "s"}


def test_shared_key_is_pinned_whole_or_the_channel_is_off() -> None:
    account = read_settings(WHATSAPP | KEY).whatsapp_account
    assert account is not None
    assert account.signature_key == SharedKey("webhooks_sharedkey_1", "s")
    for name in KEY:
        settings = read_settings(WHATSAPP | {**KEY, name: ""})
        assert not settings.has_whatsapp
        assert f"WhatsApp is off: set {name}" in missing(settings)


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:8801"])
def test_address_that_twilio_reaches_only_from_here_is_a_doubt_and_turns_nothing_off(url: str) -> None:
    settings = read_settings(WHATSAPP | {"PUBLIC_BASE_URL": url})
    assert settings.has_whatsapp
    doubt = f"{url or 'http://localhost:8000'} is a local address: Twilio reaches it only from this machine"
    assert list_doubts(settings) == [doubt]
    assert doubt in missing(settings)
    assert doubt not in list_off(settings)


PUSH = {"GMAIL_PUBSUB_TOPIC": "projects/p/topics/t", "GMAIL_PUBSUB_SERVICE_ACCOUNT": "push@p.example"}


def test_gmail_is_set_up_one_step_after_the_other() -> None:
    [line] = [line for line in missing(read_settings({})) if "Gmail" in line]
    assert line.startswith("Gmail is off: set GMAIL_ADDRESS, GMAIL_CLIENT_ID, GMAIL_CLIENT_SECRET, docs/channels/gmail")
    [line] = [line for line in missing(read_settings(GMAIL | {"GMAIL_REFRESH_TOKEN": ""})) if "Gmail" in line]
    assert line == "Gmail is off: run python -m app gmail auth, which makes GMAIL_REFRESH_TOKEN"


@pytest.mark.parametrize("unset", list(GMAIL))
def test_gmail_is_off_while_a_part_of_it_is_unset(unset: str) -> None:
    settings = read_settings(GMAIL | PUSH | {unset: ""})
    assert not settings.has_gmail
    assert settings.gmail_account is None
    assert settings.gmail_push is None


def test_gmail_needs_no_push() -> None:
    settings = read_settings(GMAIL | {"GMAIL_ADDRESS": "Help@Tidefern.example"})
    assert settings.gmail_push is None
    assert settings.gmail_account is not None
    assert settings.gmail_account.address == "help@tidefern.example"
    assert not any("Gmail" in line or "Google" in line for line in missing(settings))


@pytest.mark.parametrize("unset", list(PUSH))
def test_half_of_push_is_a_doubt_and_turns_nothing_off(unset: str) -> None:
    settings = read_settings(GMAIL | PUSH | {unset: ""})
    assert settings.has_gmail
    assert settings.gmail_push is None
    assert list_doubts(settings) == [f"Google does not tell us of new mail, we look for it ourselves: set {unset} too"]


def test_push_names_our_address_as_its_audience_unless_told_otherwise() -> None:
    settings = read_settings(GMAIL | PUSH | {"PUBLIC_BASE_URL": "https://desk.example.com/"})
    assert settings.gmail_push is not None
    assert settings.gmail_push.audience == "https://desk.example.com/webhooks/gmail"
    settings = read_settings(GMAIL | PUSH | {"GMAIL_PUBSUB_AUDIENCE": "Desk"})
    assert settings.gmail_push is not None
    assert settings.gmail_push.audience == "Desk"
    assert list_doubts(settings) == ["http://localhost:8000 is not https: Google cannot tell us of new mail there"]


@pytest.mark.parametrize("unset", list(WHATSAPP))
def test_whatsapp_is_off_while_a_part_of_it_is_unset(unset: str) -> None:
    settings = read_settings(WHATSAPP | {unset: ""})
    assert not settings.has_whatsapp
    assert any(line.startswith("WhatsApp is off") and unset in line for line in missing(settings))


@pytest.mark.parametrize("url", ["https://desk.example.com:99999", "https://desk.example.com:port", "ftp://x", "desk"])
def test_public_address_that_cannot_be_signed_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^PUBLIC_BASE_URL: must"):
        read_settings({"PUBLIC_BASE_URL": url})


def test_every_setting_says_what_it_is() -> None:
    source = inspect.getsource(Settings)
    for name in Settings.model_fields:
        after = source.split(f"    {name}: ", 1)[1].split('"""', 1)[0]
        assert after.count("\n    ") == 1, f"{name} has no docstring of its own"


@pytest.mark.parametrize(
    "url", ["postgresql://u:SEC/RETPW@h/d", "postgresql://u:p@h:notaport/d", "postgresql://[::1/d"]
)
def test_a_database_address_that_cannot_be_read_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: cannot be read") as error:
        read_settings({"DATABASE_URL": url})
    assert "SEC" not in str(error.value)


def test_no_variable_of_the_makefile_takes_the_name_of_a_setting_which_would_then_not_reach_the_program() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    assigned = set(re.findall(r"^(\w+)\s*[:?]?=", makefile, re.MULTILINE))
    assert assigned
    assert assigned.isdisjoint(name.upper() for name in Settings.model_fields)
