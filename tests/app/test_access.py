"""Who gets in. The walk over all routes is what makes a new route safe: one without a guard fails here."""

from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from app.access import GuardedRoute, make_ip_key, make_token
from app.database import Database
from app.main import create_app
from app.settings import SettingsError, read_settings
from tests.app.desk import FORM, HTML, STAFF, make_settings, open_desk
from tests.channels.twilio import ENVIRON

NOWHERE = "postgresql://desk:desk@127.0.0.1:1/none"
PUBLIC = {
    ("GET", "/"), ("POST", "/support/submit"), ("GET", "/help/{slug}"), ("GET", "/health"), ("GET", "/static/{name}"),
    ("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("GET", "/invitations/{token}"),
    ("POST", "/invitations/{token}"), ("GET", "/feedback/{token}"), ("POST", "/feedback/{token}"),
}  # fmt: skip


def make_app() -> Starlette:
    return create_app(make_settings(), Database(NOWHERE, NOWHERE))


GMAIL = {
    "GMAIL_ADDRESS": "support@example.com",
    "GMAIL_CLIENT_ID": "x",
    "GMAIL_CLIENT_SECRET": "x",
    "GMAIL_REFRESH_TOKEN": "x",
    "GMAIL_PUBSUB_TOPIC": "projects/desk-example/topics/gmail",
    "GMAIL_PUBSUB_SERVICE_ACCOUNT": "push@desk-example.iam.gserviceaccount.com",
}


def list_calls() -> list[tuple[GuardedRoute, str]]:
    """Every route of the application with each of its methods."""
    calls = []
    for route in make_app().routes:
        assert isinstance(route, GuardedRoute), f"{route} says not who may use it"
        calls += [(route, method) for method in sorted(route.methods or ()) if method != "HEAD"]
    return calls


def fill(path: str) -> str:
    return path.replace("{reference}", "TF-20260101-AAAA").replace("{id}", "018f0000-0000-7000-8000-000000000000")


def test_only_these_routes_are_public() -> None:
    assert {(method, route.path) for route, method in list_calls() if route.audience == "public"} == PUBLIC


async def test_every_other_route_refuses_strangers_without_asking_the_database() -> None:
    walked = 0
    async with open_desk(NOWHERE, settings=make_settings(**ENVIRON, **GMAIL)) as desk:
        for route, method in list_calls():
            if route.audience == "public":
                continue
            for query in ("", "?token=", "?token=" + "A" * 24):
                answer = await desk.request(method, fill(route.path) + query)
                expected = {"staff": 401, "metrics": 401, "ticket": 404, "signed": 403}[route.audience]
                assert answer.status_code == expected, f"{method} {route.path}"
                assert answer.headers["content-type"] == "application/problem+json"
                walked += 1
    assert walked >= 24


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic c3RhZmY6c3RhZmY="},
        {"Authorization": f"Bearer{STAFF['Authorization'][7:]}"},
        {"Cookie": "deskhand=9999999999.00"},
        {"Cookie": "deskhand=9999999999."},
        {"Cookie": "deskhand=-1.x"},
        {"Cookie": "deskhand=٣.x"},
        {"Cookie": "deskhand=" + "A" * 42},
        {"Cookie": "deskhand=" + "A" * 42 + "="},
        {"Authorization": "Bearer dk_"},
        {"Authorization": "Bearer dk_" + "A" * 42},
        {"Authorization": "Bearer " + "A" * 43},
    ],
)
async def test_wrong_credentials_are_refused(headers: dict[str, str]) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    async with open_desk(NOWHERE) as desk:
        assert (await desk.get("/health/detailed", headers=encoded)).status_code == 401


async def test_without_staff_token_no_token_opens_the_staff_routes() -> None:
    async with open_desk(NOWHERE, settings=read_settings({"APP_SECRET": "s"})) as desk:
        for token in ("", "None", "null"):
            answer = await desk.get("/health/detailed", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401


async def test_metrics_token_opens_the_gauges_and_nothing_else(database_url: str) -> None:
    async with open_desk(database_url, settings=make_settings(METRICS_TOKEN="m")) as desk:
        headers = {"Authorization": "Bearer m"}
        assert (await desk.get("/metrics", headers=headers)).status_code == 200
        assert (await desk.get("/metrics", headers=STAFF)).status_code == 200
        assert (await desk.get("/metrics/channels", headers=headers)).status_code == 401


def test_app_does_not_start_without_its_secret() -> None:
    with pytest.raises(SettingsError, match="APP_SECRET"):
        create_app(read_settings({"ADMIN_TOKEN": "t"}), Database(NOWHERE, NOWHERE))


async def log_in(desk: httpx2.AsyncClient, token: str = STAFF["Authorization"][7:], **form: str) -> httpx2.Response:
    return await desk.post("/login", data={"token": token, **form})


async def test_browser_session_opens_the_staff_pages_until_log_out(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        refused = await desk.get("/metrics/channels", headers=HTML)
        assert refused.status_code == 401
        assert 'action="/login"' in refused.text
        answer = await log_in(desk, next="/metrics/channels?hours=48")
        assert (answer.status_code, answer.headers["location"]) == (303, "/metrics/channels?hours=48")
        assert (await desk.get("/metrics/channels", headers=HTML)).status_code == 200
        await desk.post("/logout")
        assert (await desk.get("/metrics/channels", headers=HTML)).status_code == 401


async def test_session_cookie_is_kept_from_scripts_and_from_plain_http(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        assert {"HttpOnly", "SameSite=lax"} <= set((await log_in(desk)).headers["set-cookie"].split("; "))
    async with open_desk(database_url, settings=make_settings(PUBLIC_BASE_URL="https://desk.example.com")) as desk:
        cookie = (await log_in(desk)).headers["set-cookie"]
        assert cookie.startswith("__Host-deskhand=")
        assert {"HttpOnly", "SameSite=lax", "Secure", "Path=/"} <= set(cookie.split("; "))


async def test_new_staff_token_ends_every_session(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        await log_in(desk)
        cookies = dict(desk.cookies)
    async with open_desk(database_url, settings=make_settings(ADMIN_TOKEN="another")) as desk:
        desk.cookies.update(cookies)
        assert (await desk.get("/health/detailed")).status_code == 401


async def test_wrong_tokens_are_slowed_down(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        answers = [await log_in(desk, token="guess") for _ in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
        assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "x", "/a\r\nb: c", ""])
async def test_log_in_never_leads_to_another_site(database_url: str, target: str) -> None:
    async with open_desk(database_url) as desk:
        assert (await log_in(desk, next=target)).headers["location"] == "/inbox"


CROSS_SITE: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"},
    {"Origin": "null"},
]  # fmt: skip


@pytest.mark.parametrize("headers", CROSS_SITE)
async def test_form_from_another_site_is_refused(database_url: str, headers: dict[str, str]) -> None:
    async with open_desk(database_url) as desk:
        assert (await desk.post("/support/submit", data=FORM, headers=headers)).status_code == 403
        assert (await desk.post("/login", data={"token": "x"}, headers=headers)).status_code == 403
        await log_in(desk)
        assert (await desk.post("/test/queue", headers=headers)).status_code == 401


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost:8000"}, {}])
async def test_form_from_our_own_page_is_taken(database_url: str, headers: dict[str, str]) -> None:
    async with open_desk(database_url) as desk:
        assert (await desk.post("/support/submit", data=FORM, headers=headers)).status_code == 303


def test_ticket_tokens_differ_by_ticket_and_by_secret() -> None:
    ours, others = make_settings(), make_settings(APP_SECRET="another")
    tokens = {make_token(settings, name) for settings in (ours, others) for name in ("TF-1", "TF-2")}
    assert len(tokens) == 4
    assert all(len(token) >= 22 for token in tokens)


def make_request(host: str) -> Any:
    class State:
        settings = make_settings()

    class Request:
        client = type("Client", (), {"host": host})
        state = State

    return Request


def test_quota_key_hides_the_address_and_joins_a_network_of_ipv6() -> None:
    key = make_ip_key(make_request("2001:db8:1:2::1"))
    assert key == make_ip_key(make_request("2001:db8:1:2:ffff::9"))
    assert key != make_ip_key(make_request("2001:db8:1:3::1"))
    assert "2001" not in key
