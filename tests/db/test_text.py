import pytest

from db.text import plain_text, search_words


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("Open **Settings > API** and `copy` it", "Open Settings > API and copy it"),
        ("# Title #\n\n> quoted", "Title\n\nquoted"),
        ("1. One\n2. Two\n* three", "1. One\n2. Two\n- three"),
        ("See [the page](https://a.example/b) now", "See the page (https://a.example/b) now"),
        ("[https://a.example](https://a.example)", "https://a.example"),
        ("[Ann](mailto:ann@a.example) or <https://b.example>", "Ann (ann@a.example) or https://b.example"),
        ("[inside](/help/x) ![a picture](x.png)", "inside a picture"),
        ("| Plan | Price |\n|---|---|\n| Pro | $12 |", "Plan, Price\nPro, $12"),
        ("```\n**kept** as it is\n```", "**kept** as it is"),
        ("`a*b*c` and 2 * 3 * 4 and snake_case_name", "a*b*c and 2 * 3 * 4 and snake_case_name"),
        ("up<br>down <kbd>Ctrl</kbd> &amp; 5 < 6", "up\ndown Ctrl & 5 < 6"),
        (r"\*not bold\*", "*not bold*"),
        ("above\n\n---\n\n\n\nbelow", "above\n\nbelow"),
    ],
)
def test_markdown_marks_are_gone_and_the_words_stay(markdown: str, plain: str) -> None:
    assert plain_text(markdown) == plain


def test_text_without_spaces_between_words_is_cut_into_pairs_for_the_index() -> None:
    assert search_words("請求書 PDF it’s\x00") == "請求 求書 PDF it's "
