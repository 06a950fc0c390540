from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from productive_gateway.tools.words.mentions import Mention
from productive_gateway.tools.words.richtext import (
    RichTextError,
    html_of_plain,
    mentions_in,
    plain,
    to_html,
    to_markdown,
)

ANA = Mention("9104", "Ana Kovač")
WORDS = st.text("abcčšž0123(){}'\",;?=€日", min_size=1, max_size=8)


def read(html: str, most: int = 4000) -> str:
    return to_markdown(html, most).text


def again(markdown: str) -> str:
    return read(to_html(markdown), 100_000)


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>a<br>b</p><p>c</p>", "a\nb\n\nc"),
        ("<p>a<br><br>b</p>", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\n\nb"),
        ("<p>two\n  words&nbsp; apart</p>", "two words apart"),
        ("<b>a</b> <i>b</i> <s>c</s> <code>d</code>", "**a** *b* ~~c~~ `d`"),
        ("<p><strong>bold </strong>text <b>x <em>y</em></b></p>", "**bold** text **x *y***"),
        ("<p><b>a</b><b>b</b></p>", "**ab**"),
        ("<p><b>Note:</b>text</p>", "Note:text"),
        ("<p><code>a`b</code></p>", "``a`b``"),
        ("<h2>Title</h2><p>x</p><hr>", "## Title\n\nx\n\n***"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<ol start=3><li>a</li><li>b</li></ol>", "3. a\n4. b"),
        ("<ol><li><p>a</p><p>b</p></li></ol>", "1. a\n\n   b"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<blockquote><p>a</p><p>b</p></blockquote>c", "> a\n>\n> b\n\nc"),
        ("<pre><code class='language-py'>if a:\n    b</code></pre>", "```py\nif a:\n    b\n```"),
        ("<pre>\n```\n</pre>", "````\n```\n````"),
        (
            "<table><tr><th>A|B</th><th>C</th></tr><tr><td>1</td></tr></table>",
            "| A\\|B | C |\n| --- | --- |\n| 1 |  |",
        ),
        ("<a href='https://x.y/a(b)'>one [1]</a>", "[one \\[1\\]](https://x.y/a%28b%29)"),
        ("<a href='https://x.y'>https://x.y</a>", "<https://x.y>"),
        ("<a href='mailto:a@b.c'>mail</a>", "[mail](mailto:a@b.c)"),
        ("<img src='https://x.y/a.png' alt='plan'>", "[image: plan](https://x.y/a.png)"),
        ("&lt;b&gt; &amp;amp; 2 * 3 a_b C:\\dir", "<b> \\&amp; 2 * 3 a_b C:\\dir"),
        ("", ""),
        ("<p></p><ul><li></li></ul><table></table>", ""),
    ],
)
def test_html_is_read_as_markdown(html: str, markdown: str) -> None:
    found = to_markdown(html, 4000)
    assert found.text == markdown
    assert not found.cut
    assert again(markdown) == markdown


@pytest.mark.parametrize(
    "line",
    [
        *("# a", "- a", "+ a", "* a", "1. a", "2) a", "> a", "---", "===", "***", "```", "~~~"),
        *("[a]: b", "*a*", "_a_", "**a**", "~~a~~", "`a`", "[a](http://b.c)", "![a](b)"),
        *("<http://a.b>", "| a |", "|---|"),
    ],
)
def test_text_that_looks_like_markdown_stays_text(line: str) -> None:
    html = to_html(read(html_of_plain(f"x\n{line}\n\n{line}")))
    assert html == f"<p>x<br>\n{escaped(line)}</p>\n<p>{escaped(line)}</p>"


def escaped(line: str) -> str:
    return line.replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize(
    "text", ["if x<5 and y>3 then stop", "a <b and c", "List<String> x", "a & b < c &amp; d", "<>"]
)
def test_plain_text_with_angle_brackets_survives_both_ways(text: str) -> None:
    assert plain(text.replace("&amp;", "&amp;amp;"), 200) == text
    assert plain(html_of_plain(text), 200) == text
    assert plain(to_html(read(html_of_plain(text))), 200) == text


def test_note_is_read_as_it_was_written() -> None:
    assert read("if x<5 and y>3 then stop") == "if x<5 and y>3 then stop"
    assert to_html("if x<5 and y>3 then stop") == "<p>if x&lt;5 and y&gt;3 then stop</p>"


def test_line_breaks_survive_both_ways() -> None:
    assert to_html("a\nb\n\nc") == "<p>a<br>\nb</p>\n<p>c</p>"
    assert html_of_plain("a\r\nb\n\nc") == "a<br>b<br><br>c"
    assert read("a\nb\r\n\r\nc") == "a\nb\n\nc"
    assert read(html_of_plain("a\nb")) == "a\nb"


@pytest.mark.parametrize(
    "html",
    [
        "ok<script>alert(1)<p></script>",
        "<style>p{}</style>ok<template>x</template>",
        "<p onclick='alert(1)' style='color:red'>ok</p>",
        "<a href='javascript:alert(1)'>ok</a>",
        "<a href=' JaVaScRiPt:alert(1)'>ok</a>",
        "<a href='java\nscript:alert(1)'>ok</a>",
        "<a href='data:text/html,x'>ok</a>",
        "<a href='/tasks/1'>ok</a>",
        "<p>ok<span style='display: none'>hidden <b>text</b></span></p>",
        "<p>ok</p><p hidden>hidden</p><!-- hidden -->",
        "<svg><text>x</text></svg>ok<iframe src='x'>x</iframe>",
        "<svg/>ok<math />",
        "<!DOCTYPE html><!-- x <b> -->ok<!-- never closed <p>x</p>",
        "<title>x</title><noscript>x</noscript>ok<textarea>x</textarea>",
        "<script>never closed",
    ],
)
def test_active_and_hidden_parts_are_left_out(html: str) -> None:
    assert read(html) == ("" if "script>never" in html else "ok")
    assert plain(html, 100) == read(html)


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>",
        "<b onclick=x>a</b>",
        "[a](javascript:alert(1))",
        "[a](data:text/html,x)",
        "![a](https://x.y/a.png)",
        "<javascript:alert(1)>",
        "&lt;script&gt;",
        "[a]: javascript:x\n\n[a]",
    ],
)
def test_no_markdown_becomes_active_html(markdown: str) -> None:
    html = to_html(markdown)
    for part in ("<script", "<b ", 'href="javascript', 'href="data', "<img"):
        assert part not in html


def test_mentions_are_shown_with_name_and_id() -> None:
    html = (
        '<p>Hi @[Person:9104:Ana Kovač], see @[{"type":"attachment","id":55,"label":"a.pdf"}]</p>'
    )
    assert read(html) == "Hi @Ana Kovač (9104), see [a.pdf] (attachment 55)"
    assert plain(html, 100) == "Hi @Ana Kovač (9104), see [a.pdf] (attachment 55)"
    assert mentions_in(html) == (ANA,)
    assert mentions_in(html.replace('"', "&quot;")) == (ANA,)
    assert mentions_in(None) == ()


def test_mention_is_written_only_for_known_people() -> None:
    assert to_html("Hi @Ana Kovač (9104)", [ANA]) == "<p>Hi @[Person:9104:Ana Kovač]</p>"
    assert to_html("Hi @Ana Kovač (9104)") == "<p>Hi @Ana Kovač (9104)</p>"
    assert "@[" not in to_html("`@Ana Kovač (9104)`", [ANA])


def test_text_is_cut_with_a_flag() -> None:
    found = to_markdown("<p>one two</p><p>three</p>", 10)
    assert (found.text, found.cut) == ("one two…", True)
    assert to_markdown("<p>one two</p>", 7).cut is False
    assert plain("<p>one two</p><p>three</p>", 10) == "one two…"
    assert to_markdown("x" * 5000, 100).text == "x" * 99 + "…"


def test_embedded_image_does_not_hide_the_text_after_it() -> None:
    html = f'<p><img src="data:image/png;base64,{"A" * 3_000_000}"></p><p>after</p>'
    assert to_markdown(html, 100).text == "image\n\nafter"


@pytest.mark.parametrize(
    "part",
    [
        *("<div>", "<b>", "<ul><li>", "<blockquote>", "<table><tr><td>", "<p>x</p>", "<", "&"),
        *("<!--", "<a ", "<a href='", "</li>", "x", " ", "a ", "[", "@[", "`", "<br>", "<pre>"),
    ],
)
def test_long_text_is_read_in_bounded_time(part: str) -> None:
    """Time that grows with the square of the length would be far longer at this one too."""
    html = part * (250_000 // len(part))
    begun = time.process_time()
    found = to_markdown(html, 4000)
    plain(html, 4000)
    assert time.process_time() - begun < 5
    assert len(found.text) <= 4000


def test_ten_thousand_levels_are_read() -> None:
    for start, end in (("<div>", "</div>"), ("<b>", "</b>"), ("<blockquote>", "</blockquote>")):
        found = to_markdown(start * 9_900 + "deep" + end * 9_900, 4000)
        assert "deep" in found.text
        assert len(found.text) < 100


@pytest.mark.parametrize("markdown", ["x" * 50_001, "[" * 5_001])
def test_markdown_that_is_too_large_is_refused(markdown: str) -> None:
    with pytest.raises(RichTextError, match="too long"):
        to_html(markdown)


@st.composite
def inline(draw: st.DrawFn) -> str:
    def marked(words: str) -> str:
        mark = draw(st.sampled_from(["", "", "**", "*", "~~", "`"]))
        link = draw(st.sampled_from(["", "", "https://example.com/a?b=1"])) if mark != "`" else ""
        text = f"{mark}a{words}b{mark}"
        return f"[{text}]({link})" if link else text

    rows = draw(st.lists(st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=3))
    return "\n".join(" ".join(marked(words) for words in row) for row in rows)


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def indented(text: str, mark: str) -> str:
    first, *rest = text.split("\n")
    return "\n".join([mark + first, *(f"{' ' * len(mark)}{line}".rstrip() for line in rest)])


def block(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        inner,
        inner.map(quoted),
        items.map(lambda parts: "\n".join(indented(part, "- ") for part in parts)),
        items.map(
            lambda parts: "\n".join(indented(part, f"{n}. ") for n, part in enumerate(parts, 1))
        ),
    )


LEAVES = st.one_of(
    inline(),
    inline().map(lambda text: "## " + text.replace("\n", " ")),
    WORDS.map(lambda words: f"```\n{words}\n\n  {words}\n```"),
    st.just("***"),
    st.lists(WORDS, min_size=1, max_size=3).map(
        lambda row: f"| {' | '.join(row)} |\n|{' --- |' * len(row)}\n| {' | '.join(row)} |"
    ),
)


@settings(deadline=None)
@given(st.lists(st.one_of(LEAVES, block(block(LEAVES))), min_size=1, max_size=4))
def test_markdown_of_ours_is_stable_through_html(parts: list[str]) -> None:
    # What is written between lists is as it is read, so reading once gives the form that is stable.
    once = again("\n\n".join(parts))
    assert again(once) == once


@settings(deadline=None)
@given(st.lists(LEAVES, min_size=1, max_size=4))
def test_markdown_is_the_same_after_html(parts: list[str]) -> None:
    markdown = "\n\n".join(parts)
    assert again(markdown) == markdown


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_plain_text_survives_as_html(text: str) -> None:
    visible = " ".join(text.split())
    assert plain(html_of_plain(text), 1000) == visible


@settings(deadline=None)
@given(st.text(max_size=200), st.integers(1, 50))
def test_any_text_is_read_within_its_bound(html: str, most: int) -> None:
    assert len(to_markdown(html, most).text) <= most
    assert len(plain(html, most)) <= most
    to_html(html)
