"""Stands in until the real module is here."""

import html as h
import re


def to_markdown(html: str) -> str:
    return h.unescape(re.sub(r"<[a-zA-Z/][^>]*>", " ", html)).strip()


def plain(html: str) -> str:
    return to_markdown(html)


def to_html(markdown: str) -> str:
    return h.escape(markdown, quote=False)
