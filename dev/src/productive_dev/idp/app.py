"""The dev IdP as an ASGI application."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import unquote, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from productive_dev.idp.config import IdpConfig, User
from productive_dev.idp.faults import EndpointFault
from productive_dev.idp.pages import error_page, sign_in_page
from productive_dev.idp.provider import OAuthError, Provider

Handler = Callable[[Request], Awaitable[Response]]


def dev_idp(config: IdpConfig) -> Starlette:
    """Return a provider with fresh keys; its state is at `.state.provider`."""
    provider = Provider(config)
    endpoints = _Endpoints(provider)
    base = config.base_path
    routes = [
        Route(f"{base}/.well-known/openid-configuration", endpoints.discovery),
        Route(f"{base}/jwks", endpoints.jwks),
        Route(f"{base}/authorization", endpoints.authorization, methods=["GET", "POST"]),
        Route(f"{base}/token", endpoints.token, methods=["POST"]),
        Route(f"{base}/userinfo", endpoints.userinfo),
    ]
    if config.control:
        control = _Control(provider, endpoints.counts)
        routes += [
            Route("/_faults", _json_endpoint(control.faults), methods=["GET", "PUT", "DELETE"]),
            Route("/_keys/rotate", _json_endpoint(control.rotate), methods=["POST"]),
            Route("/_users", _json_endpoint(control.users), methods=["GET", "PUT"]),
            Route("/_counts", _json_endpoint(control.requests), methods=["GET", "DELETE"]),
        ]
    application = Starlette(routes=routes)
    application.state.provider = provider
    return application


class _Endpoints:
    """The endpoints of the protocol; tests can make each of them fail."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.counts: Counter[str] = Counter()

    async def discovery(self, _: Request) -> Response:
        return await self._document("discovery", self._provider.discovery())

    async def jwks(self, _: Request) -> Response:
        return await self._document("jwks", {"keys": self._provider.keys.public()})

    async def authorization(self, request: Request) -> Response:
        self.counts["authorize"] += 1
        parameters = dict(request.query_params)
        try:
            self._provider.check_client(parameters)
        except OAuthError as error:
            return error_page(str(error))
        fault = self._provider.faults.current().endpoints.get("authorize", EndpointFault())
        if fault.status or fault.body is not None or fault.redirect:
            return await self._document("authorize", {})
        try:
            self._provider.check_request(parameters)
            user = await self._who(request, parameters)
        except OAuthError as error:
            answer = {"error": error.code, "error_description": str(error)}
            return self._back(parameters, answer)
        if user is None:
            return sign_in_page(self._provider.config.users(), self._provider.config.client_id)
        return self._back(parameters, {"code": self._provider.sign_in(user, parameters)})

    async def token(self, request: Request) -> Response:
        fields = await request.form()
        form = {name: value for name, value in fields.items() if isinstance(value, str)}
        if self._provider.faults.current().endpoints.get("token", EndpointFault()).unspent:
            return await self._document("token", {})
        try:
            answer = self._tokens(request, form)
        except OAuthError as error:
            self.counts["token"] += 1
            body = {"error": error.code, "error_description": str(error)}
            status = 401 if error.code == "invalid_client" else 400
            return JSONResponse(body, status, headers={"Cache-Control": "no-store"})
        return await self._document("token", answer)

    async def userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        provider = self._provider
        sign_in = provider.memory.access(token, provider.config.clock())
        gone = sign_in is None or provider.find(sign_in.email) is None
        if scheme.lower() != "bearer" or sign_in is None or gone:
            self.counts["userinfo"] += 1
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return JSONResponse({"error": "invalid_token"}, 401, headers=challenge)
        return await self._document("userinfo", provider.claims(sign_in))

    def _tokens(self, request: Request, form: Mapping[str, str]) -> dict[str, Any]:
        provider = self._provider
        provider.authenticate_client(*_credentials(request, form))
        match form.get("grant_type"):
            case "authorization_code":
                return provider.redeem(form)
            case "refresh_token":
                return provider.refresh(form)
            case _:
                raise OAuthError("unsupported_grant_type", "This grant_type is not supported.")

    async def _who(self, request: Request, parameters: Mapping[str, str]) -> User | None:
        """Return who signs in, or None before a person was chosen."""
        email = parameters.get("login_hint", "")
        if request.method == "POST":
            form = await request.form()
            email = "deny" if form.get("deny") else str(form.get("email", ""))
        if not email:
            return None
        user = None if email == "deny" else self._provider.find(email.strip())
        if user is None:
            raise OAuthError("access_denied", "The sign-in was refused.")
        return user

    def _back(self, parameters: Mapping[str, str], answer: dict[str, Any]) -> Response:
        if "state" in parameters:
            answer["state"] = parameters["state"]
        if self._provider.config.issuer_parameter:
            answer["iss"] = self._provider.config.issuer
        fault = self._provider.faults.take_endpoint("authorize") or EndpointFault()
        answer = _changed(answer, fault)
        target = parameters["redirect_uri"]
        joint = "&" if "?" in target else "?"
        return RedirectResponse(
            f"{target}{joint}{urlencode(answer, doseq=True)}", 303, {"Cache-Control": "no-store"}
        )

    async def _document(self, endpoint: str, document: dict[str, Any]) -> Response:
        """Return a document, changed by the fault of its endpoint if there is one."""
        self.counts[endpoint] += 1
        fault = self._provider.faults.take_endpoint(endpoint) or EndpointFault()
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.redirect is not None:
            return RedirectResponse(fault.redirect, 302)
        body = fault.body if fault.body is not None else json.dumps(_changed(document, fault))
        return Response(
            body.ljust(fault.size),
            fault.status or 200,
            media_type=fault.content_type or "application/json",
            headers={"Cache-Control": "no-store"},
        )


class _Control:
    """Endpoints for tests: faults, new keys, changed people, request counts."""

    def __init__(self, provider: Provider, counts: Counter[str]) -> None:
        self._provider = provider
        self._counts = counts

    async def faults(self, request: Request) -> Any:
        if request.method != "GET":
            document = await request.json() if request.method == "PUT" else {}
            if not isinstance(document, dict):
                raise TypeError("expected an object with one member per endpoint")
            self._provider.faults.put(document)
        return asdict(self._provider.faults.current())

    async def rotate(self, request: Request) -> Any:
        options = await request.json() if await request.body() else {}
        return {"kid": self._provider.keys.rotate(keep=options.get("keep", True))}

    async def users(self, request: Request) -> Any:
        if request.method == "PUT":
            user = User(**await request.json())
            self._provider.overrides[user.account] = user
        people = {user.account: user for user in self._provider.config.users()}
        return [asdict(user) for user in (people | self._provider.overrides).values()]

    async def requests(self, request: Request) -> Any:
        if request.method == "DELETE":
            self._counts.clear()
        return dict(self._counts)


def _changed(document: dict[str, Any], fault: EndpointFault) -> dict[str, Any]:
    merged = {**document, **fault.set}
    return {name: value for name, value in merged.items() if name not in fault.remove}


def _credentials(request: Request, form: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Read the client's credentials, which must be in one place only (RFC 6749 2.3)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id"), form.get("client_secret")
    if "client_secret" in form:
        raise OAuthError("invalid_request", "The client used two authentication methods at once.")
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return unquote(name), unquote(secret)


def _json_endpoint(handler: Callable[[Request], Awaitable[Any]]) -> Handler:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except (ValueError, TypeError, AttributeError) as error:
            message = f"This request is not understood: {error}. See faults.py for its form."
            return JSONResponse({"error": message}, status_code=400)

    return endpoint
