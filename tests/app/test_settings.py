import inspect

import pytest

from app.settings import Settings, SettingsError, list_doubts, list_off, missing, read_settings


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
        ("GMAIL_PUBSUB_TOPIC", "hidden"),
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


def test_nothing_is_missing_once_all_is_set() -> None:
    settings = read_settings(
        {
            "ADMIN_TOKEN": "t", "OPENAI_BASE_URL": "http://m", "OPENAI_MODEL": "m",
            "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_WHATSAPP_FROM": "whatsapp:+14155238886",
            "PUBLIC_BASE_URL": "https://desk.example.com", "APP_SECRET": "s",
        }
    )  # fmt: skip
    assert missing(settings) == []
    assert settings.whatsapp_account is not None
    assert settings.whatsapp_account.number == "+14155238886"


WHATSAPP = {
    "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_WHATSAPP_FROM": "+14155238886", "APP_SECRET": "s",
}  # fmt: skip


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:8801"])
def test_address_that_twilio_reaches_only_from_here_is_a_doubt_and_turns_nothing_off(url: str) -> None:
    settings = read_settings(WHATSAPP | {"PUBLIC_BASE_URL": url})
    assert settings.has_whatsapp
    doubt = f"{url or 'http://localhost:8000'} is a local address: Twilio reaches it only from this machine"
    assert list_doubts(settings) == [doubt]
    assert doubt in missing(settings)
    assert doubt not in list_off(settings)


def test_nobody_is_told_to_set_up_a_channel_that_has_no_code_yet() -> None:
    assert not any("GMAIL" in line for line in missing(read_settings({})))
    assert list_doubts(read_settings({"GMAIL_ADDRESS": "a@b.co"})) == [
        "this version has no Gmail channel: what is set for it does nothing"
    ]


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
