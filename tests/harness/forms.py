"""A person who fills in forms, for clients that open an address: no browser, only HTTP.

The person goes wherever pages, redirects and forms lead, approves what our consent page asks, and
answers each other form by the names of its fields.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from urllib.parse import urljoin

import httpx

MOST_STEPS = 20
_FORM = re.compile(r"<form[^>]*>.*?</form>", re.DOTALL)
_ACTION = re.compile(r'<form[^>]*\baction="([^"]*)"')
_INPUT = re.compile(r"<input[^>]*>")
_ATTRIBUTE = re.compile(r'(name|value)="([^"]*)"')


def follow(url: str, answers: Mapping[str, str], *, until: str) -> str:
    """Go on from an address until one that starts with `until`, and return that one unrequested.

    Args:
        url: what the client asked the person to open.
        answers: values of the form fields that the provider shows, such as the e-mail address.
        until: where the client waits.

    Raises:
        AssertionError: it ends somewhere else.
    """
    reached = _follow(url, answers, until)
    assert isinstance(reached, str), f"{reached.url} leads nowhere:\n{reached.text}"
    return reached


def ends(url: str, answers: Mapping[str, str]) -> str:
    """Go on from an address until a page without a form to fill in, and return that page.

    Raises:
        AssertionError: it never ends.
    """
    reached = _follow(url, answers, None)
    assert isinstance(reached, httpx.Response)
    return reached.text


def _follow(url: str, answers: Mapping[str, str], until: str | None) -> str | httpx.Response:
    with httpx.Client(timeout=30, trust_env=False) as http:
        answer: httpx.Response | None = http.get(url)
        for _ in range(MOST_STEPS):
            assert answer is not None
            page, target = answer, _onward(answer)
            if target is not None and until is not None and target.startswith(until):
                return target
            answer = http.get(target) if target is not None else _submit(http, page, answers)
            if answer is None:
                return page
    raise AssertionError(f"no end of {url}")


def _onward(answer: httpx.Response) -> str | None:
    """Return where a redirect, or a page that moves on by itself, leads."""
    found = answer.headers.get("location") or answer.headers.get("refresh", "").partition("url=")[2]
    return urljoin(str(answer.url), found) if found else None


def _submit(
    http: httpx.Client, page: httpx.Response, answers: Mapping[str, str]
) -> httpx.Response | None:
    """Fill in and send a form of the page; None if it has none that can be answered."""
    for form in _FORM.findall(page.text):
        fields = _fields(form)
        if "handle" in fields or fields.keys() & answers.keys():
            break
    else:
        return None
    filled = {name: answers.get(name, value) for name, value in fields.items()}
    if "handle" in filled:
        filled["decision"] = "approve"
    action = _ACTION.search(form)
    target = urljoin(str(page.url), html.unescape(action[1]) if action else "")
    origin = httpx.URL(target)
    headers = {"Origin": f"{origin.scheme}://{origin.netloc.decode()}"}
    return http.post(target, data=filled, headers=headers)


def _fields(form: str) -> dict[str, str]:
    inputs = [
        {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(field)}
        for field in _INPUT.findall(form)
    ]
    return {one["name"]: one.get("value", "") for one in inputs if "name" in one}
