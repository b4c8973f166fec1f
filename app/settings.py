"""Every environment variable this project reads: a field's name, in capitals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator

from app.setting_types import DatabaseUrl, Dollars, Price, Seconds, WebUrl, lower_text, upper_text
from channels.google_oauth import GmailAccount, GmailPush
from channels.twilio.account import SharedKey, WhatsAppAccount
from db.errors import DeskError


class SettingsError(DeskError):
    """A setting cannot be used. The message is one line that names the variable and never its value."""


class Settings(BaseModel):
    """The whole configuration, read once at the start. An empty variable counts as unset."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: DatabaseUrl | None = None
    """postgres:// or postgresql://, also that of a transaction pooler. Unset: the embedded Postgres."""
    database_direct_url: DatabaseUrl | None = None
    """For LISTEN and migrations, which a pooler cannot carry. Default: DATABASE_URL."""

    port: int = Field(default=8000, ge=1, le=65_535)
    """TCP port. 8000 is what people try first; Render sets its own."""
    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on. Only this machine by default; 0.0.0.0 when RENDER is set."""
    public_base_url: WebUrl = "http://localhost:8000"
    """How the outside reaches us, for links and for signatures, which must never rest on the Host header.

    Default: RENDER_EXTERNAL_URL, else http://localhost:PORT.
    """
    forwarded_allow_ips: str = Field(default="127.0.0.1", min_length=1)
    """Proxies whose X-Forwarded-For and -Proto are believed, comma separated. On Render *: its own stands before us."""
    admin_token: SecretStr | None = None
    """Opens the staff routes, and invites the first admin. No default: unset, only people and keys get in."""
    app_secret: SecretStr | None = None
    """Key of ticket links, one-time codes and hashed quota keys. No default: `web` does not start without one."""
    metrics_token: SecretStr | None = None
    """Opens GET /metrics and nothing else, for a scraper that should not hold ADMIN_TOKEN."""
    company_name: str = Field(default="Tidefern", min_length=1, max_length=100)
    """As customers and the model read it. The default is the company of the sample knowledge."""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(upper_text)] = "INFO"
    """Least important record that is written."""
    ticket_prefix: str = Field(default="TF", pattern=r"^[A-Z][A-Z0-9]{0,7}$")
    """First letters of ticket references: TF-YYYYMMDD-XXXX."""
    sample_knowledge: Annotated[Literal["on", "off"], BeforeValidator(lower_text)] = "on"
    """Whether the default command fills an empty knowledge base with the sample company."""
    state_folder: Path = Path(".deskhand")
    """Where the embedded Postgres and generated secrets live. Beside the code, so that a clone is self-contained."""
    evals_dir: Path | None = None
    """Folder with evaluation files for `eval` and the benchmarks; unset, they take a path."""

    openai_api_key: SecretStr | None = None
    """Key of the primary model; a server of your own may need none. Without a model the offline model answers."""
    openai_base_url: WebUrl | None = None
    """Any OpenAI-compatible server. Default: OpenAI's own."""
    openai_model: str | None = None
    """Name of the primary model, as its server knows it. No default: names are withdrawn, and prices differ."""
    openai_wire: Annotated[Literal["responses", "chat", "auto"], BeforeValidator(lower_text)] = "auto"
    """Which API the server speaks; auto finds out."""
    openai_price: Price | None = None
    """What it costs: input/output/cached input in dollars for a million tokens, such as 1.25/10/0.125.

    No default: prices change. Unset, what it costs is unknown and no budget in dollars binds.
    """
    fallback_base_url: WebUrl | None = None
    """Second provider, asked while the first one fails."""
    fallback_api_key: SecretStr | None = None
    """Its key; some servers need none."""
    fallback_model: str | None = None
    """Its model; needed together with FALLBACK_BASE_URL."""
    fallback_price: Price | None = None
    """What it costs, as OPENAI_PRICE."""
    hide_contacts: Annotated[Literal["on", "off"], BeforeValidator(lower_text)] = "on"
    """Whether e-mail addresses and phone numbers are replaced by placeholders before a text goes to a model.

    Cards, accounts, secrets and national ids always are.
    """
    embeddings: Annotated[Literal["auto", "openai", "local", "off"], BeforeValidator(lower_text)] = "auto"
    """Where vectors come from; auto takes OpenAI with a key, else the local model where it is installed, else none."""
    embedding_model: str | None = None
    """Name of the embedding model; unset: the embedder's own default."""

    twilio_account_sid: str | None = Field(default=None, pattern=r"^AC[0-9A-Za-z]+$")
    """Account of the WhatsApp channel."""
    twilio_auth_token: SecretStr | None = None
    """Signs the webhooks. Unset turns WhatsApp off; nothing turns the signature check off."""
    twilio_signature_key_sid: str | None = Field(default=None, pattern=r"^[^\s,=]+$")
    """Shared key that Twilio signs the webhooks with instead, as they name it: then only its HMAC-SHA256 counts.

    Unset, with TWILIO_SIGNATURE_SECRET: only the auth token's HMAC-SHA1 counts. One of the two without the other turns
    WhatsApp off, for neither signature could be trusted to be the one that was meant.
    """
    twilio_signature_secret: SecretStr | None = None
    """Secret of that key; needed together with TWILIO_SIGNATURE_KEY_SID."""
    twilio_whatsapp_from: str | None = Field(default=None, pattern=r"^(whatsapp:)?\+[1-9][0-9]{6,14}$")
    """Our number, E.164, with or without whatsapp: before it."""
    twilio_template_sid: str | None = Field(default=None, pattern=r"^HX[0-9A-Za-z]+$")
    """Approved template for replies after the 24-hour window. Unset: such replies go to a person."""
    twilio_api_base: WebUrl = "https://api.twilio.com"
    """Where Twilio's API is; another one for tests."""

    twilio_index_lag_seconds: float = Field(default=60, ge=0, le=3_600, allow_inf_nan=False)
    """How long Twilio's list of messages may not show yet what Twilio took. A try without an answer is repeated only
    after it."""

    gmail_address: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    """The mailbox that is answered."""
    gmail_client_id: str | None = None
    """Of the OAuth client."""
    gmail_client_secret: SecretStr | None = None
    """Of the OAuth client."""
    gmail_refresh_token: SecretStr | None = None
    """From `python -m app gmail auth`."""
    gmail_token_uri: WebUrl = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
    """Where access tokens come from."""
    gmail_api_endpoint: WebUrl = "https://gmail.googleapis.com"
    """Where Gmail's API is."""
    gmail_pubsub_topic: str | None = Field(default=None, pattern=r"^projects/[^/]+/topics/[^/]+$")
    """Topic that Gmail publishes to when mail comes. Unset: the mailbox is only polled."""
    gmail_pubsub_audience: str | None = None
    """Audience the push token must name. Default: PUBLIC_BASE_URL/webhooks/gmail."""
    gmail_pubsub_service_account: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    """Service account that every push must name. Unset: every push is refused."""
    google_certs_url: WebUrl = "https://www.googleapis.com/oauth2/v3/certs"
    """Google's public keys, as a JSON key set; another address for tests."""
    gmail_poll_seconds: int = Field(default=120, ge=10, le=86_400)
    """How often the mailbox is read even when push works, in seconds: a lost push costs at most this."""

    webhook_test_origin: WebUrl | None = None
    """The one place outgoing webhooks may name that is neither https nor public, for tests: http://127.0.0.1:9000."""

    worker_concurrency: int = Field(default=150, ge=1, le=2_000)
    """Lanes one worker has in hand at most. 150 turns that mostly wait for a model fit in 512 MB."""
    worker_lease_seconds: float = Field(default=12, ge=5, le=600, allow_inf_nan=False)
    """How long a lane stays with a worker that says nothing. Short, so that a crash costs seconds."""
    poll_seconds: float = Field(default=0.5, ge=0.05, le=60, allow_inf_nan=False)
    """How often a worker looks for work unasked: the most a lost notification can cost."""
    turn_budget_usd: Dollars = 0.05
    """Money one turn may cost; then a person gets it. Ten times a usual turn."""
    daily_budget_usd: Dollars = 5
    """Money all turns of a UTC day may cost; then the offline model answers."""
    conversation_budget_usd: Dollars = 0.5
    """Money one conversation may cost in a UTC day; then the offline model answers. Ten turns at their limit."""
    customer_budget_usd: Dollars = 1
    """Money one customer may cost in a UTC day, on all channels; then the offline model answers."""
    debounce_seconds_whatsapp: Seconds = 2
    """Quiet time before a chat burst is answered as one. Longer feels like nobody is there."""
    debounce_seconds_email: Seconds = 20
    """Quiet time for mail: a correction often follows at once, and nobody counts seconds."""
    debounce_seconds_web: Seconds = 0.5
    """Quiet time after a follow-up on the ticket page."""

    @field_validator(
        "admin_token", "app_secret", "metrics_token", "twilio_auth_token", "twilio_signature_secret",
        "gmail_client_secret", "gmail_refresh_token",
    )  # fmt: skip
    @classmethod
    def refuse_blank(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not secret.get_secret_value().strip():
            raise ValueError("must not be blank")
        return secret

    @property
    def is_https(self) -> bool:
        """Whether customers reach us by https: then cookies are Secure and HSTS is sent."""
        return self.public_base_url.startswith("https://")

    @property
    def has_model(self) -> bool:
        """Whether a model other than the offline one is configured."""
        return self.openai_model is not None and (self.openai_api_key is not None or self.openai_base_url is not None)

    @property
    def has_fallback(self) -> bool:
        """Whether a second provider is configured."""
        return self.fallback_base_url is not None and self.fallback_model is not None

    @property
    def has_gmail(self) -> bool:
        """Whether the Gmail channel has all it needs. Push is not needed: the mailbox is polled."""
        return self.gmail_account is not None

    @property
    def gmail_account(self) -> GmailAccount | None:
        """Our side at Google; None while a part of it is unset."""
        client_id, client_secret = self.gmail_client_id, self.gmail_client_secret
        address, refresh_token = self.gmail_address, self.gmail_refresh_token
        if client_id is None or client_secret is None or address is None or refresh_token is None:
            return None
        return GmailAccount(
            address=address.lower(),
            client_id=client_id,
            client_secret=client_secret.get_secret_value(),
            refresh_token=refresh_token.get_secret_value(),
            token_uri=self.gmail_token_uri,
            api_endpoint=self.gmail_api_endpoint,
        )

    @property
    def gmail_push(self) -> GmailPush | None:
        """How Google tells us of new mail; None while it does not, or while there is no mailbox to read."""
        topic, service_account = self.gmail_pubsub_topic, self.gmail_pubsub_service_account
        if topic is None or service_account is None or not self.has_gmail:
            return None
        audience = self.gmail_pubsub_audience or f"{self.public_base_url}/webhooks/gmail"
        return GmailPush(topic, audience, service_account, self.google_certs_url)

    @property
    def has_whatsapp(self) -> bool:
        """Whether the WhatsApp channel has all it needs."""
        return self.whatsapp_account is not None

    @property
    def whatsapp_account(self) -> WhatsAppAccount | None:
        """Our side at Twilio; None while a part of it is unset, or APP_SECRET, which signs the callbacks' addresses."""
        sid, token, number = self.twilio_account_sid, self.twilio_auth_token, self.twilio_whatsapp_from
        if sid is None or token is None or number is None or self.app_secret is None:
            return None
        key_sid, secret = self.twilio_signature_key_sid, self.twilio_signature_secret
        if (key_sid is None) != (secret is None):
            return None
        key = SharedKey(key_sid, secret.get_secret_value()) if key_sid and secret else None
        return WhatsAppAccount(sid, token.get_secret_value(), number.removeprefix("whatsapp:"), key)

    @property
    def listen_url(self) -> str | None:
        """Where LISTEN and migrations connect to."""
        url = self.database_direct_url or self.database_url
        return url.get_secret_value() if url else None

    @property
    def query_url(self) -> str | None:
        """Where everything else connects to."""
        return self.database_url.get_secret_value() if self.database_url else None


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of an environment. Raises SettingsError, one line, at the first variable that cannot be used."""
    given: dict[str, Any] = {
        name: environ[name.upper()].strip() for name in Settings.model_fields if environ.get(name.upper(), "").strip()
    }
    if environ.get("RENDER", "").lower() == "true":
        given = {"host": "0.0.0.0", "forwarded_allow_ips": "*"} | given  # noqa: S104 (Render's proxy is in front)
    if "public_base_url" not in given:
        given["public_base_url"] = environ.get("RENDER_EXTERNAL_URL") or f"http://localhost:{given.get('port', 8000)}"
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(explain(error)) from None


def explain(error: ValidationError) -> str:
    """The first mistake in words. Pydantic's own message is used only where it cannot repeat the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = str(first["loc"][0]).upper()
    limits = first.get("ctx", {})
    match first["type"]:
        case "value_error":
            wanted = str(limits["error"])
        case "literal_error":
            wanted = f"must be {limits['expected']}"
        case "string_pattern_mismatch":
            wanted = f"does not look right, it must match {limits['pattern']}"
        case kind if "parsing" in kind or kind.endswith("_type"):
            wanted = "must be a number"
        case _:
            wanted = first["msg"].replace("Input should", "must").replace("String should", "must")
    return f"{name}: {wanted}"
