"""Files are fetched from Twilio and nowhere else, whatever an address, an answer or a name says."""

import base64
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Attached, FetchedFile, Unfetchable
from channels.places import read_place
from channels.public_network import is_public
from channels.twilio.media import Bounds, NotYet, TwilioMedia
from tests.channels.hostile import pdf
from tests.channels.twilio import ACCOUNT
from tests.stand_ins.media import Act, MediaServer, hang_up, redirect, say, serving_media, stream

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 20
PATH = f"/2010-04-01/Accounts/{ACCOUNT.sid}/Messages/MM1/Media/ME1"
QUICK = Bounds(size=100_000, seconds=10, silence=0.5, pause=0.01)


async def resolve(host: str, port: int) -> list[str]:
    return {"127.0.0.1": ["127.0.0.1"], "inside.twilio.com": ["127.0.0.1"]}[host]


def make_source(server: MediaServer, bounds: Bounds = QUICK) -> TwilioMedia:
    return TwilioMedia(ACCOUNT, api_base=server.url, bounds=bounds, resolve=resolve)


async def fetch(*acts: Act, declared: str = "image/png", bounds: Bounds = QUICK) -> FetchedFile:
    async with serving_media() as server:
        return await make_source(server, bounds).fetch(Attached(server.lay(PATH, *acts), declared))


async def refuse(*acts: Act, bounds: Bounds = QUICK) -> tuple[str, int]:
    """Why it cannot be had, and how often the server was asked."""
    async with serving_media() as server:
        with pytest.raises(Unfetchable) as refused:
            await make_source(server, bounds).fetch(Attached(server.lay(PATH, *acts), "image/png"))
        return str(refused.value), len(server.asked)


async def test_a_file_is_fetched_with_the_credentials_of_the_account() -> None:
    async with serving_media() as server:
        fetched = await make_source(server).fetch(Attached(server.lay(PATH, say(200, PNG)), "image/png"))
    assert fetched == FetchedFile(PNG, "image/png", None)
    [(_, headers)] = server.asked
    scheme, _, credentials = headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(credentials).decode()) == ("Basic", f"{ACCOUNT.sid}:{ACCOUNT.auth_token}")
    assert headers["accept-encoding"] == "identity"


async def test_a_redirect_is_followed_without_the_credentials() -> None:
    async with serving_media() as server:
        server.lay("/elsewhere", redirect("/there"))
        server.lay("/there", say(200, PNG))
        url = server.lay(PATH, redirect(server.url + "/elsewhere"))
        assert (await make_source(server).fetch(Attached(url, "image/png"))).content == PNG
    assert ["authorization" in headers for _, headers in server.asked] == [True, False, False]


@pytest.mark.parametrize(
    "path",
    [
        "/2010-04-01/Accounts/AC99/Messages/MM1/Media/ME1",
        f"/2010-04-01/Accounts/{ACCOUNT.sid}/Messages.json",
        f"/2010-04-01/Accounts/{ACCOUNT.sid}/Messages/MM1/Media/../../../Keys",
    ],
)
async def test_only_media_of_our_own_account_are_asked_for_with_the_credentials(path: str) -> None:
    async with serving_media() as server:
        await make_source(server).fetch(Attached(server.lay(path, say(200, PNG)), "image/png"))
    assert ["authorization" in headers for _, headers in server.asked] == [False]


async def test_no_other_host_of_twilios_is_shown_the_credentials() -> None:
    source = TwilioMedia(ACCOUNT)
    assert source.is_our_media(read_place(f"https://api.twilio.com{PATH}"))
    assert not source.is_our_media(read_place(f"https://mms.twiliocdn.com{PATH}"))


@pytest.mark.parametrize(
    "place",
    [
        "https://example.com/a.png", "http://api.twilio.com/a.png", "https://mms.twiliocdn.com:8443/a.png",
        "http://mms.twiliocdn.com/a.png", "https://twiliocdn.com.example.com/a", "https://eviltwilio.com/a",
        "https://s3-external-1.amazonaws.com/other-bucket/a", "https://s3.amazonaws.com/media.twiliocdn.com/a",
        "http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/", "http://[::1]/", "http://localhost/",
        "ftp://mms.twiliocdn.com/a", "file:///etc/passwd", "https://api.twilio.com@example.com/a", "//example.com/a",
        "https://example.com#.twilio.com/a", "https://example.com\\.twilio.com/a", "http://[",
        "https://127.0.0.1/a", "http://127.0.0.1:1/a", "https://ｔwilio.com/a",
    ],
)  # fmt: skip
async def test_nothing_is_fetched_from_anywhere_else(place: str) -> None:
    async with serving_media() as server:
        source = make_source(server)
        with pytest.raises(Unfetchable) as refused:
            await source.fetch(Attached(server.lay(PATH, redirect(place)), "image/png"))
        assert not isinstance(refused.value, NotYet)
        if place.startswith("http"):
            with pytest.raises(Unfetchable):
                await source.fetch(Attached(place, "image/png"))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "place",
    [
        "https://api.twilio.com/a", "https://mcs.us1.twilio.com/a?b=c", "https://mms.twiliocdn.com/a",
        "https://media.twiliocdn.com:443/a", "https://s3-external-1.amazonaws.com/media.twiliocdn.com/AC1/a",
    ],
)  # fmt: skip
async def test_wherever_twilio_keeps_files_they_may_be_fetched_from(place: str) -> None:
    assert TwilioMedia(ACCOUNT).is_allowed(read_place(place))


async def test_a_name_of_twilios_that_leads_inside_is_not_connected_to() -> None:
    async with serving_media() as server:
        with pytest.raises(Unfetchable, match="no public address"):
            await make_source(server).fetch(Attached("https://inside.twilio.com/a", "image/png"))
        assert server.asked == []


async def test_not_even_the_api_itself_is_looked_for_inside_unless_the_settings_name_it() -> None:
    async def lead_inside(host: str, port: int) -> list[str]:
        return ["10.0.0.1", "::ffff:127.0.0.1"]

    with pytest.raises(Unfetchable, match="no public address"):
        await TwilioMedia(ACCOUNT, resolve=lead_inside).fetch(Attached(f"https://api.twilio.com{PATH}", "image/png"))


async def test_what_the_settings_name_is_one_place_and_not_all_of_its_host() -> None:
    source = TwilioMedia(ACCOUNT, api_base="http://inside.twilio.com:8080", bounds=QUICK, resolve=resolve)
    with pytest.raises(Unfetchable, match="no public address"):
        await source.fetch(Attached("https://inside.twilio.com/a", "image/png"))


async def test_the_address_that_was_looked_at_is_what_is_connected_to() -> None:
    async def lead_here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with serving_media() as server:
        server.lay(PATH, say(200, PNG))
        base = server.url.replace("127.0.0.1", "api.invalid")  # a name that nobody else resolves
        source = TwilioMedia(ACCOUNT, api_base=base, bounds=QUICK, resolve=lead_here)
        assert (await source.fetch(Attached(base + PATH, "image/png"))).content == PNG


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "fec0::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "2002:7f00:1::", "64:ff9b::7f00:1", "2001:0:4136:e378::1",
        "2001:db8::1", "192.0.2.1", "198.18.0.1", "a name", "",
    ],
)  # fmt: skip
def test_an_address_that_is_not_of_the_open_internet_is_told_from_one_that_is(address: str) -> None:
    assert not is_public(address)
    assert is_public("54.172.60.1")
    assert is_public("2600:9000:2000::1")


async def test_a_file_that_is_not_there_yet_is_asked_for_once_more() -> None:
    for first in (say(404), say(500), say(503), hang_up, say(200, PNG[:20], length=len(PNG))):
        assert (await fetch(first, say(200, PNG))).content == PNG


async def test_a_file_that_is_never_there_is_asked_for_twice() -> None:
    assert await refuse(say(404)) == ("Twilio answered with status 404", 2)
    assert (await refuse(say(200, PNG[:20], length=len(PNG))))[1] == 2


async def test_silence_ends_a_try_and_not_the_worker() -> None:
    reason, asked = await refuse(stream(b"x", 2, pause=30), bounds=Bounds(seconds=20, silence=0.1, pause=0.01))
    assert (reason, asked) == ("the connection failed: ReadTimeout", 2)


async def test_what_drips_for_ever_ends_by_the_clock() -> None:
    reason, asked = await refuse(stream(b"x", 10_000, pause=0.05), bounds=Bounds(seconds=0.5))
    assert (reason, asked) == ("it takes too long", 1)


@pytest.mark.parametrize("status", [401, 403, 410, 204, 206])
async def test_a_plain_no_is_final(status: int) -> None:
    assert await refuse(say(status)) == (f"Twilio answered with status {status}", 1)


async def test_a_file_beyond_the_limit_is_dropped_whatever_it_says_of_its_length() -> None:
    bounds = Bounds(size=1_000_000, pause=0.01)
    assert await refuse(stream(b"x" * 50_000, 1_000), bounds=bounds) == ("it is larger than 1 MB", 1)
    assert await refuse(say(200, b"x" * 1_000_001), bounds=bounds) == ("it is larger than 1 MB", 1)
    assert (await fetch(say(200, PNG * 20_000, length=len(PNG)), bounds=bounds)).content == PNG


async def test_nothing_is_unpacked_on_the_way() -> None:
    bomb = gzip.compress(b"\0" * 5_000_000)
    assert await refuse(say(200, bomb, "Content-Encoding: gzip")) == ("it comes compressed, which nobody asked for", 1)
    kept = await fetch(say(200, bomb), declared="text/plain")
    assert (kept.content, kept.type, kept.text) == (bomb, "application/gzip", None)


async def test_an_empty_file_is_none() -> None:
    assert await refuse(say(200)) == ("it is empty", 1)


async def test_redirects_end() -> None:
    assert await refuse(redirect(PATH)) == ("it is redirected too often", 4)
    assert await refuse(say(302)) == ("it is redirected too often", 4)  # to nowhere is to itself


@pytest.mark.parametrize(
    ("content", "declared", "expected"),
    [
        (PNG, "application/pdf", "image/png"),
        (b"MZ\x90\x00\x03\x00", "image/jpeg", "application/x-msdownload"),
        (b"<html><script>alert(1)</script>", "image/png", "text/html"),
        (b"\x00\x01\x02", "image/png", "application/octet-stream"),
        (b"OggS\x00\x02", "audio/ogg; codecs=opus", "audio/ogg"),
        (b"#!AMR\n\x3c", "audio/amr", "audio/amr"),
        (b"\xff\xf1\x50\x80", "audio/aac", "audio/aac"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp", "image/webp"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4", "video/mp4"),
        (b"\x00\x00\x00\x18ftypmp42", "audio/mp4", "audio/mp4"),
        (b"\x00\x00\x00\x18ftypM4A ", "video/mp4", "audio/mp4"),
        (b"\x00\x00\x00\x18ftyp3gp4", "video/3gpp", "video/3gpp"),
        (PNG, "message/<script>", "image/png"),
    ],
)
async def test_a_file_is_what_its_content_says(content: bytes, declared: str, expected: str) -> None:
    assert (await fetch(say(200, content), declared=declared)).type == expected


async def test_texts_and_pdf_are_read() -> None:
    for declared, content, expected in (
        ("text/plain", b"Order 4711\r\n\x1bdone", "Order 4711\ndone"),
        ("text/csv", "Größe;Preis\n".encode("utf-16"), "Größe;Preis"),
        ("application/pdf", pdf(b"BT /F1 12 Tf 10 10 Td (Invoice 4711) Tj ET"), "Invoice 4711"),
    ):
        assert (await fetch(say(200, content), declared=declared)).text == expected


async def test_a_long_text_is_cut_between_letters() -> None:
    text = (await fetch(say(200, ("é" * 60_000).encode()), declared="text/plain", bounds=Bounds())).text
    assert text is not None
    assert set(text) == {"é"}


@pytest.mark.parametrize(
    "content",
    [b"%PDF-1.4\nnot a PDF", pdf(b" " * 100_000_000, is_packed=True), pdf(b"").replace(b"3 0 R]", b"2 0 R]")],
    ids=["broken", "a bomb", "endless"],
)
async def test_a_hostile_pdf_is_kept_unread(content: bytes) -> None:
    fetched = await fetch(say(200, content), bounds=Bounds())
    assert (fetched.type, fetched.text) == ("application/pdf", None)


async def test_a_contact_card_is_read() -> None:
    card = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lima;Ana;;;\r\nFN:Ana Lima\r\nORG:Tidefern\\, Inc.;Sales\r\n"
        "item1.TEL;waid=4915112345678;type=CELL:+49 151 1234\r\n 5678\r\nEMAIL:ana@example.com\r\n"
        "PHOTO;ENCODING=b:" + "A" * 50_000 + "\r\nNOTE;ENCODING=QUOTED-PRINTABLE:=41\r\nEND:VCARD\r\n"
    )
    fetched = await fetch(say(200, card.encode()), declared="text/x-vcard")
    assert fetched.type == "text/vcard"
    assert fetched.text == "Ana Lima\nTidefern, Inc., Sales\n+49 151 12345678\nana@example.com"


@given(st.text() | st.from_regex(r"https?://[^/]*(/.*)?"))
def test_an_address_is_read_or_refused_and_never_in_between(url: str) -> None:
    try:
        place = read_place(url)
    except Unfetchable:
        return
    assert place.url.isascii()
    assert not set("@#\\ \r\n") & set(place.host)
    assert url.lower().startswith(f"{place.scheme}://{place.host}")
