import json
import logging

import pytest

from app.logs import JsonLines


def make_line(message: str, *arguments: object, error: BaseException | None = None, **extra: object) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("desk", logging.INFO, __file__, 1, message, arguments, info)
    vars(record).update(extra)
    return JsonLines().format(record)


def test_record_is_one_line_of_json_with_its_ids() -> None:
    line = make_line("request", request_id="abc", status=200)
    assert {"message": "request", "request_id": "abc", "status": 200}.items() <= json.loads(line).items()


def test_line_breaks_in_a_record_do_not_make_a_second_one() -> None:
    line = make_line("a %s", 'b\r\n{"level":"forged"}', reference="x\ny")
    assert line.splitlines() == [line]


@pytest.mark.parametrize(
    "text",
    [
        "GET /support/ticket/TF-1?token=hidden&x=1",
        "Authorization: Bearer hidden",
        "postgresql://desk:hidden@host/db",
        "refresh_token=hidden",
    ],
)
def test_what_opens_doors_is_not_written(text: str) -> None:
    assert "hidden" not in make_line(text)


def test_words_of_an_error_are_not_written() -> None:
    try:
        raise ValueError("my password is hunter2") from KeyError("hunter2")
    except ValueError as error:
        line = make_line("failed", error=error)
    assert "hunter2" not in line
    assert json.loads(line)["error"] == ["ValueError", "KeyError"]
    assert "test_logs.py" in json.loads(line)["places"][0]
