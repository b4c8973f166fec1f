"""Passwords: those that others would guess are refused, and a flood of log-ins takes its turns."""

import asyncio

import pytest

from app.passwords import MAX_WAITING, Passwords, check_password
from app.problems import Problem
from tests.app.people import hash_quickly


@pytest.mark.parametrize(
    "password",
    [
        "", "elevenchars", "x" * 201, "kim.jones@example.com", "Kim-Jones-1234", "jones example kim",
        "Harbourlight2026!",
        "h4rb0url1ght!!", "passwordpassword", "P@55w0rd!!2025", "aaaaaaaaaaaaaa", "abcabcabcabc", "abababababab",
        "123456789012", "098765432109", "qwertyuiopasdf", "1q2w3e4r5t6y", "letmein-letmein", "Welcome2024!",
        "hunter2\nhunter2",
        "abcdefghijklmnop", "zyxwvutsrqpon", "111222333444", "admin admin admin",
    ],
)  # fmt: skip
def test_a_password_that_others_would_guess_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match=r"Please use|too easy"):
        check_password(password, email="kim.jones@example.com", company="Harbourlight")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple", "zwölf große Füchse", "kT7#mQ2p!xWz", "lower tides bring odd shells",
        "x" * 3 + "9vQ!kd-L0p",
        "青い空と白い雲と赤い屋根", "my first password was worse", "x$%&*@!#^()_+", "a" * 4 + "n ordinary boat " * 12,
    ],
)  # fmt: skip
def test_a_password_of_ones_own_is_taken(password: str) -> None:
    assert check_password(password, email="kim.jones@example.com", company="Harbourlight") == password


async def test_a_password_is_kept_as_argon2id_and_found_right() -> None:
    passwords = Passwords()
    kept = await passwords.hash("zwölf große Füchse")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await passwords.is_right("zwölf große Füchse", kept)
    assert await passwords.is_right("zwo\u0308lf große Fu\u0308chse", kept)  # as another keyboard writes it
    assert not await passwords.is_right("zwölf grosse Füchse", kept)
    assert not await passwords.is_right("zwölf große Füchse", None)
    assert not await passwords.is_right("zwölf große Füchse", "no hash")


async def test_of_a_flood_of_log_ins_some_wait_and_the_rest_are_sent_away() -> None:
    passwords, kept = Passwords(), hash_quickly("the right password")
    flood = [passwords.is_right("a wrong guess", kept) for _ in range(MAX_WAITING + 5)]
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    assert outcomes[:MAX_WAITING] == [False] * MAX_WAITING
    refused = [outcome.status for outcome in outcomes[MAX_WAITING:] if isinstance(outcome, Problem)]
    assert refused == [503] * 5
    assert await passwords.is_right("the right password", kept)
