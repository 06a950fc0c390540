"""The page at /: in large letters, that nothing here is real."""

from __future__ import annotations

from html import escape

from productive_dev.simulator.tokens import Token

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Simulator</title>
<style>body{{font:1.1rem/1.6 system-ui;margin:4rem auto;max-width:46rem;padding:0 1rem}}
h1{{font-size:3rem;line-height:1.1}}td{{padding:.2rem 1rem .2rem 0}}</style></head>
<body><h1>This is a simulator.</h1>
<p>It replaces the API of Productive while you develop and test. Every company, person and
hour in it is invented, and everything is forgotten when it stops.</p>
<p>Its API begins at <code>/api/v2</code>. These tokens open it; they open nothing else:</p>
<table>{rows}</table></body></html>
"""


def landing_page(tokens: tuple[Token, ...]) -> str:
    """Return the page's HTML."""
    rows = "".join(
        f"<tr><td><code>{escape(token.value)}</code></td><td>{escape(token.label)}</td></tr>"
        for token in tokens
    )
    return _PAGE.format(rows=rows)
