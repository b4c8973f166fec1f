"""Who may what: every route with every kind of caller, as one table. A new route needs a row here."""

from collections.abc import Awaitable, Callable

import httpx2
from starlette.responses import Response

from app.access import GuardedRoute, staff
from db.attachments import NewAttachment, keep_attachment, list_attachments
from db.people import ROLES, Actor
from db.pool import Connection
from tests.app.desk import ADMIN_TOKEN, FORM, HTML, STAFF, answer_waiting, make_settings, open_desk
from tests.app.people import add_machine, add_person, open_browser
from tests.app.test_access import GMAIL, fill, list_calls
from tests.channels.twilio import ENVIRON

ALL = {"nobody", "agent", "manager", "admin", "key read", "key write", "key manage", "ADMIN_TOKEN"}
LOOK = ALL - {"nobody", "key write"}
CHANGE = ALL - {"nobody", "key read"}
MANAGE = {"manager", "admin", "key manage", "ADMIN_TOKEN"}
ADMIN = {"admin", "ADMIN_TOKEN"}
PERSON = {"agent", "manager", "admin"}
VENDOR: set[str] = set()
EVERYTHING = ENVIRON | GMAIL | {"PUBLIC_BASE_URL": "http://localhost:8000"}  # no channel is off

MAY = {
    ("GET", "/"): ALL,
    ("GET", "/health"): ALL,
    ("GET", "/help/{slug}"): ALL,
    ("GET", "/static/{name}"): ALL,
    ("GET", "/login"): ALL,
    ("POST", "/login"): ALL,
    ("POST", "/logout"): ALL,
    ("GET", "/invitations/{token}"): ALL,
    ("POST", "/invitations/{token}"): ALL,
    ("GET", "/feedback/{token}"): ALL,
    ("POST", "/feedback/{token}"): ALL,
    ("POST", "/support/submit"): ALL,
    ("POST", "/webhooks/gmail"): VENDOR,
    ("POST", "/webhooks/whatsapp"): VENDOR,
    ("POST", "/webhooks/whatsapp/status"): VENDOR,
    ("GET", "/support/ticket/{reference}"): LOOK,
    ("GET", "/support/ticket/{reference}/events"): LOOK,
    ("POST", "/support/ticket/{reference}/messages"): CHANGE,
    ("GET", "/inbox"): LOOK,
    ("GET", "/inbox/events"): LOOK,
    ("GET", "/conversations/{id}"): LOOK,
    ("GET", "/conversations/{id}/events"): LOOK,
    ("GET", "/conversations/{id}/mails/{mail}"): LOOK,
    ("POST", "/conversations/{id}/answer"): CHANGE,
    ("POST", "/conversations/{id}/ask"): CHANGE,
    ("POST", "/conversations/{id}/reject"): CHANGE,
    ("POST", "/conversations/{id}/undo"): CHANGE,
    ("POST", "/conversations/{id}/take-over"): CHANGE,
    ("POST", "/conversations/{id}/hand-back"): CHANGE,
    ("POST", "/conversations/{id}/resolve"): CHANGE,
    ("POST", "/conversations/{id}/assign"): CHANGE,
    ("POST", "/conversations/{id}/snooze"): CHANGE,
    ("POST", "/conversations/{id}/sort"): CHANGE,
    ("POST", "/conversations/{id}/note"): CHANGE,
    ("POST", "/conversations/{id}/correction"): CHANGE,
    ("POST", "/conversations/{id}/merges"): CHANGE,
    ("POST", "/conversations/{id}/merges/{merge}/{decision}"): CHANGE,
    ("GET", "/knowledge"): LOOK,
    ("GET", "/knowledge/new"): LOOK,
    ("GET", "/knowledge/{slug}"): LOOK,
    ("GET", "/knowledge/{slug}/misled"): LOOK,
    ("POST", "/knowledge/preview"): CHANGE,
    ("POST", "/knowledge/proposals"): CHANGE,
    ("POST", "/knowledge/publish"): MANAGE,
    ("POST", "/knowledge/{slug}/retire"): MANAGE,
    ("POST", "/knowledge/{slug}/misled"): MANAGE,
    ("POST", "/knowledge/proposals/{id}/decline"): MANAGE,
    ("GET", "/canned"): LOOK,
    ("POST", "/canned"): CHANGE,
    ("POST", "/canned/remove"): CHANGE,
    ("GET", "/autonomy"): MANAGE,
    ("POST", "/autonomy"): MANAGE,
    ("GET", "/hours"): MANAGE,
    ("POST", "/hours/{kind}"): MANAGE,
    ("POST", "/hours/{kind}/remove"): MANAGE,
    ("GET", "/channels"): MANAGE,
    ("POST", "/channels"): MANAGE,
    ("POST", "/channels/preview"): MANAGE,
    ("GET", "/attachments/{id}"): LOOK,
    ("GET", "/customers/lookup"): LOOK,
    ("GET", "/metrics"): LOOK,
    ("GET", "/metrics/channels"): LOOK,
    ("GET", "/health/detailed"): LOOK,
    ("POST", "/test/queue"): CHANGE,
    ("GET", "/account"): PERSON,
    ("POST", "/account/name"): PERSON,
    ("POST", "/account/password"): PERSON,
    ("POST", "/account/totp"): PERSON,
    ("POST", "/account/totp/off"): PERSON,
    ("POST", "/account/sessions/end"): PERSON,
    ("GET", "/team"): ADMIN,
    ("POST", "/team/invitations"): ADMIN,
    ("POST", "/team/invitations/withdraw"): ADMIN,
    ("POST", "/team/people/{id}/role"): ADMIN,
    ("POST", "/team/people/{id}/deactivate"): ADMIN,
    ("POST", "/team/people/{id}/totp/off"): ADMIN,
    ("POST", "/team/people/{id}/sessions/end"): ADMIN,
    ("POST", "/team/token-sessions/end"): ADMIN,
    ("POST", "/team/keys"): ADMIN,
    ("POST", "/team/keys/{id}/revoke"): ADMIN,
    ("GET", "/audit"): ADMIN,
    ("GET", "/webhooks"): ADMIN,
    ("POST", "/webhooks"): ADMIN,
    ("POST", "/webhooks/{id}/on"): ADMIN,
    ("POST", "/webhooks/{id}/off"): ADMIN,
    ("POST", "/webhooks/{id}/test"): ADMIN,
    ("POST", "/webhooks/{id}/remove"): ADMIN,
}

Headers = Callable[[], Awaitable[dict[str, str]]]


def in_browser(conn: Connection, who: Actor) -> Headers:
    """Logged in anew for every call: some of them log out."""
    return lambda: open_browser(conn, who)


async def list_callers(conn: Connection) -> dict[str, Headers]:
    """Everybody who may call, by what the table names them."""

    def fixed(headers: dict[str, str]) -> Headers:
        async def give() -> dict[str, str]:
            return headers

        return give

    people = {
        role: in_browser(conn, await add_person(conn, f"{role}@example.com", role))
        for role in ("agent", "manager", "admin")
    }
    keys = {f"key {scope}": fixed(await add_machine(conn, scope)) for scope in ("read", "write", "manage")}
    return {"nobody": fixed({}), **people, **keys, "ADMIN_TOKEN": fixed(STAFF)}


def address(route: GuardedRoute, reference: str) -> str:
    """A ticket that exists, for its routes say of others and of those who may not that there is nothing."""
    return fill(route.path.replace("{reference}", reference)).replace("{token}", "A" * 43)


async def call(desk: httpx2.AsyncClient, route: GuardedRoute, method: str, path: str, headers: dict[str, str]) -> bool:
    """Whether the caller gets past the guard. What is sent changes nothing: no form takes it."""
    if route.path.endswith("/events"):
        method = "HEAD"  # the stream itself does not end
    body = {"token": ADMIN_TOKEN} if route.path == "/login" else {"timeout_seconds": 0}
    desk.cookies.clear()
    status = (await desk.request(method, path, headers=headers, json=body if method == "POST" else None)).status_code
    assert status != 500, f"{method} {path}"
    return status not in (401, 403) and not (route.audience == "ticket" and status == 404)


async def test_every_route_lets_in_whom_the_table_names_and_nobody_else(database_url: str, conn: Connection) -> None:
    found: dict[tuple[str, str], set[str]] = {}
    async with open_desk(database_url, settings=make_settings(**EVERYTHING)) as desk:
        reference = str((await desk.post("/support/submit", json=FORM)).json()["ticket"])
        callers = await list_callers(conn)
        for route, method in list_calls():
            let_in = {
                name for name, headers in callers.items()
                if await call(desk, route, method, address(route, reference), await headers())
            }  # fmt: skip
            found[method, route.path] = let_in
    assert found == MAY


async def test_a_role_may_what_those_before_it_may(database_url: str, conn: Connection) -> None:
    async def answer(_: object) -> Response:
        return Response("ok")

    routes = [staff(f"/{role}", answer, role=role) for role in ROLES]
    let_in: dict[str, set[str]] = {}
    async with open_desk(database_url, more=routes) as desk:
        for name, headers in (await list_callers(conn)).items():
            for role in ROLES:
                if (await desk.get(f"/{role}", headers=await headers())).status_code == 200:
                    let_in.setdefault(role, set()).add(name)
    assert let_in == {"agent": LOOK, "manager": MANAGE, "admin": ADMIN}


async def test_a_key_that_may_only_write_is_shown_no_page_when_it_is_refused(
    database_url: str, conn: Connection
) -> None:
    """A page says more than the refusal: the key would read what it may not."""
    async with open_desk(database_url, settings=make_settings(**EVERYTHING)) as desk:
        reference = str((await desk.post("/support/submit", json=FORM)).json()["ticket"])
        await answer_waiting(conn)
        talk = str(await conn.fetchval("select id from conversations"))
        key = await add_machine(conn, "write") | HTML
        walked = 0
        for route, method in list_calls():
            if method != "POST" or route.audience not in ("staff", "ticket"):
                continue
            path = address(route, reference).replace(fill("{id}"), talk)
            for sent in ({"data": {"x": "y"}}, {"json": {"x": "y"}}, {"files": {"file": ("a.md", b"\xff")}}):
                answer = await desk.request(method, path, headers=key, **sent)
                if answer.status_code >= 400:
                    assert answer.headers["content-type"] == "application/problem+json", (path, answer.text[:200])
                    walked += 1
    assert walked >= 60


async def test_no_browser_keeps_what_a_customer_or_the_team_was_shown(database_url: str, conn: Connection) -> None:
    found = set()
    async with open_desk(database_url, settings=make_settings(**EVERYTHING)) as desk:
        reference = str((await desk.post("/support/submit", json=FORM)).json()["ticket"])
        await answer_waiting(conn)
        talk = await conn.fetchval("select id from conversations")
        await keep_attachment(conn, "web", NewAttachment("m1", 0, "image/png", b"a picture", None, None))
        [file] = await list_attachments(conn, "web", ["m1"])
        for route, method in list_calls():
            if method != "GET" or route.path == "/static/{name}":
                continue
            about = file.id if route.path.startswith("/attachments") else talk
            path = address(route, reference).replace(fill("{id}"), str(about))
            for accept in ({}, HTML):
                answer = await desk.request("HEAD", path, headers=STAFF | accept)
                assert answer.headers["cache-control"] == "no-store", path
                found |= {route.path} if answer.status_code == 200 else set()
    assert {"/attachments/{id}", "/conversations/{id}", "/conversations/{id}/events", "/inbox"} <= found
    assert "/support/ticket/{reference}" in found
