"""HTML mail as text."""

import pytest

from channels.mail.html_text import read_html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two<br>lines</p>", "One\n\nTwo\nlines"),
        ("a <b>b</b>\n c&nbsp;d&amp;e", "a b c d&e"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<title>no</title>yes<script>no</script>", "yes"),
        ("just words", "just words"),
        ("", ""),
        ("<!-- nothing -->", ""),
    ],
)
def test_layout_is_kept_as_far_as_text_goes(html: str, text: str) -> None:
    assert read_html(html) == text


@pytest.mark.parametrize(
    "hidden",
    [
        '<div style="display:none !important">X</div>',
        '<div style="DISPLAY : NONE"><b>X</b></div>',
        '<p style="visibility:hidden">X</p>',
        '<span style="font-size:0px;line-height:0">X</span>',
        '<span style="font:0/0 a">X</span>',
        '<span style="font-size:1px">X</span>',
        '<span style="color:#fffFFF">X</span>',
        '<span style="color: rgb(255, 255, 255)">X</span>',
        '<font color="white"><b>X</b></font>',
        '<div style="background:#fff"><i style="color:white">X</i></div>',
        '<span style="color:transparent">X</span>',
        '<div style="max-height:0;overflow:hidden">X</div>',
        '<div style="text-indent:-9999px">X</div>',
        '<div style="opacity:0">X</div>',
        "<div hidden>X</div>",
        "<template>X</template>",
    ],
)
def test_hidden_text_is_dropped(hidden: str) -> None:
    assert read_html(f"<p>Seen</p>{hidden}<p>too</p>") == "Seen\n\ntoo"


@pytest.mark.parametrize(
    "shown",
    [
        '<td style="font-size:0"><div style="font-size:14px">X</div></td>',
        '<div style="background-color:#036"><span style="color:#fff">X</span></div>',
        '<table bgcolor="black"><tr><td><font color="white">X</font></td></tr></table>',
        '<div style="color:#fff"><span style="color:#333">X</span></div>',
        '<div style="overflow:hidden;height:100px">X</div>',
        '<div style="background:url(a.png);background-image:url(a.png)"><p style="color:#fff">X</p></div>',
        '<p style="opacity:0.9;font-size:90%">X</p>',
    ],
)
def test_text_that_only_looks_hidden_is_kept(shown: str) -> None:
    assert read_html(shown) == "X"


def test_each_quote_has_its_mark_on_every_line() -> None:
    html = (
        "New<blockquote>On Monday Bob wrote:<br>old<blockquote><p>older</p><p>oldest</p></blockquote></blockquote>below"
    )
    assert read_html(html) == "New\n\n> On Monday Bob wrote:\n> old\n>\n> > older\n> >\n> > oldest\n\nbelow"


def test_words_above_a_quote_belong_to_it_in_any_language() -> None:
    html = 'Ok<div class="gmail_attr">Bob skrev den 5 jan.:<br></div><blockquote class="gmail_quote">old</blockquote>'
    assert read_html(html) == "Ok\n> Bob skrev den 5 jan.:\n>\n> old"


def test_mail_nested_deeper_than_parsers_like_is_read_whole() -> None:
    assert read_html("<div>" * 1_000 + "deep" + "</div>" * 1_000) == "deep"
