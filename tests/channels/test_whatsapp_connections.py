"""Connections to Twilio that never came about, broke, or said nothing: what each says about the message."""

import asyncio
from datetime import timedelta

import httpx2
import pytest

from channels.base import NotSent, Refused
from channels.whatsapp import WhatsApp, open_whatsapp
from tests.channels.twilio import ACCOUNT
from tests.channels.twilio_server import (
    MESSAGE,
    Talk,
    keep_no_draft,
    listening,
    make_status_url,
    reset_after_the_request,
    reset_amid_the_answer,
    reset_at_once,
    say,
    speak_no_tls,
)  # fmt: skip


async def fail(api_base: str) -> Exception:
    async with open_whatsapp(ACCOUNT, make_status_url, api_base=api_base) as channel:
        with pytest.raises(Exception) as caught:  # noqa: PT011 (the caller looks at it)
            await channel.send(MESSAGE, keep_no_draft)
    assert isinstance(caught.value, Exception)
    return caught.value


@pytest.mark.parametrize("api_base", ["http://127.0.0.1:1", "http://nowhere.invalid", "ftp://127.0.0.1"])
async def test_connection_that_was_never_made_is_surely_not_sent(api_base: str) -> None:
    assert isinstance(await fail(api_base), NotSent)


async def test_connection_that_was_never_safe_is_surely_not_sent() -> None:
    async with listening(speak_no_tls) as port:
        assert isinstance(await fail(f"https://127.0.0.1:{port}"), NotSent)


async def test_message_that_found_no_free_connection_is_surely_not_sent() -> None:
    limits, timeout = httpx2.Limits(max_connections=1), httpx2.Timeout(5, pool=0.05)
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def answer_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"Hello")
        is_asked.set()
        await may_answer.wait()
        writer.write(say(201, {"sid": "SM1"}))
        writer.close()

    async with (
        listening(answer_later) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=timeout) as client,
    ):
        channel = WhatsApp(client, ACCOUNT, make_status_url, timedelta(0))
        first = asyncio.create_task(channel.send(MESSAGE, keep_no_draft))
        await is_asked.wait()
        with pytest.raises(NotSent):
            await channel.send(MESSAGE, keep_no_draft)
        may_answer.set()
        assert await first == "SM1"


@pytest.mark.parametrize("talk", [reset_at_once, reset_after_the_request, reset_amid_the_answer])
async def test_connection_that_broke_leaves_it_open(talk: Talk) -> None:
    async with listening(talk) as port:
        error = await fail(f"http://127.0.0.1:{port}")
    assert not isinstance(error, NotSent | Refused)


async def test_time_limit_of_a_send_leaves_it_open() -> None:
    is_gone = asyncio.Event()

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side hangs up
        writer.close()
        is_gone.set()

    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        async with open_whatsapp(ACCOUNT, make_status_url, api_base=base) as channel:
            channel.client.timeout = httpx2.Timeout(0.1)
            with pytest.raises(httpx2.ReadTimeout):
                await channel.send(MESSAGE, keep_no_draft)
        async with asyncio.timeout(5):
            await is_gone.wait()
        await asyncio.sleep(0)
