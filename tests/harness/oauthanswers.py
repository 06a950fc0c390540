"""What tests check in answers of the authorization server."""

from __future__ import annotations

import httpx

from harness.oauthkit import CALLBACK, PUBLIC_URL, Browser, query_of


def client_error(answer: httpx.Response) -> str:
    """Return the error that the client is told, having checked all around it."""
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(CALLBACK + "?")
    assert answer.headers["referrer-policy"] == "no-referrer"
    query = query_of(answer.headers["location"])
    assert query["state"] == "client-state"
    assert query["iss"] == PUBLIC_URL
    assert "code" not in query
    return query["error"]


def open_cookies(browser: Browser) -> list[str]:
    """Return the kinds of cookies a browser has, but for the mark of a finished transaction."""
    kinds = (cookie.name.removeprefix("__Host-pmcp-")[0] for cookie in browser.http.cookies.jar)
    return [kind for kind in kinds if kind != "f"]


def token_error(answer: httpx.Response, status: int = 400) -> str:
    """Return the error of a refusal, having checked its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    assert body["error_description"].isascii()
    return str(body["error"])
