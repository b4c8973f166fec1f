import pytest

from app.markdown import render_markdown


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo", "<p>one<br>two</p>"),
        ("one\n\ntwo", "<p>one</p>\n<p>two</p>"),
        ("## Head\ntext", "<h2>Head</h2>\n<p>text</p>"),
        ("# Top", "<h2>Top</h2>"),
        ("do:\n1. a\n2. b\nthen", "<p>do:</p>\n<ol><li>a</li><li>b</li></ol>\n<p>then</p>"),
        ("- **a** b\n- `c`", "<ul><li><strong>a</strong> b</li><li><code>c</code></li></ul>"),
        ("[x](https://a.b/c)", '<p><a href="https://a.b/c" rel="noopener noreferrer">x</a></p>'),
        ("see https://a.b/c.", '<p>see <a href="https://a.b/c" rel="noopener noreferrer">https://a.b/c</a>.</p>'),
    ],
)
def test_markdown_becomes_html(text: str, html: str) -> None:
    assert render_markdown(text) == html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "**<img src=x onerror=alert(1)>**",
        "[<b>x</b>](javascript:alert(1))",
        "[x](//evil.example)",
        '[x](https://a.b/"onmouseover="alert(1))',
        "## <svg onload=alert(1)>",
        "- `<i>`",
    ],
)
def test_nothing_in_a_text_becomes_markup_of_its_own(text: str) -> None:
    html = render_markdown(text)
    for danger in ("<script", "<img", "<svg", "<i>", "<b>", 'href="javascript', 'href="//', '"onmouseover'):
        assert danger not in html
