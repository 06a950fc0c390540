"""The sign-in page: one button per known person, one field for anybody else, no scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from starlette.responses import HTMLResponse

from productive_dev.idp.config import User

_STYLE: Final = """
body{font:1.05rem/1.5 system-ui;margin:8vh auto;max-width:28rem;padding:0 1rem;color:#222}
button,input{font:inherit;padding:.6rem .9rem;border-radius:.4rem;border:1px solid #999}
button{display:block;width:100%;text-align:left;background:#f6f6f6;margin:.4rem 0;cursor:pointer}
small{color:#666;display:block}.warn{background:#fff3cd;padding:.6rem .9rem;border-radius:.4rem}
input{width:100%;box-sizing:border-box}
"""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    # No form-action: browsers apply it to the redirect after the form too, which goes elsewhere.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def sign_in_page(users: Sequence[User], client: str) -> HTMLResponse:
    """Return the page; its form posts to the address it came from."""
    people = "".join(
        f'<button name="email" value="{escape(user.email)}">{escape(user.name or user.email)}'
        f"<small>{escape(user.email)}</small></button>"
        for user in users
    )
    return _page(
        f"""<h1>Sign in</h1>
<p class="warn">This is a development identity provider. It asks for no password.</p>
<p>To continue to <b>{escape(client)}</b>, choose who you are:</p>
<form method="post">{people}</form>
<form method="post"><label>or any e-mail address
<input name="email" type="email" required></label><button>Sign in</button></form>
<form method="post"><button name="deny" value="1">Refuse</button></form>"""
    )


def error_page(message: str) -> HTMLResponse:
    """Return a page for an error that must not be redirected to the client."""
    return _page(f"<h1>This cannot work</h1><p>{escape(message)}</p>", status=400)


def _page(body: str, status: int = 200) -> HTMLResponse:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Development sign-in</title><style>{_STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )
    return HTMLResponse(html, status, headers=_HEADERS)
