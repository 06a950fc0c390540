"""What the Accept header names."""

from __future__ import annotations

import pytest

from productive_gateway.web.headers import accepts


@pytest.mark.parametrize(
    ("accept", "named"),
    [
        (b"text/html", True),
        (b"TEXT/HTML;charset=utf-8", True),
        (b"application/json, text/html;level=1;q=0.001", True),
        (b"text/html;q=0.0001", True),
        (b"*/*", False),
        (b"text/*", False),
        (b"text/htmlx", False),
        (b"", False),
        (b"text/html;q=0", False),
        (b"text/html ; Q=0.000 , application/json", False),
        (b"text/html;level=1;q=0.", False),
    ],
)
def test_media_type_is_accepted_if_it_is_named_and_not_unwanted(accept: bytes, named: bool) -> None:
    assert accepts([(b"accept", accept)], "text/html") is named
