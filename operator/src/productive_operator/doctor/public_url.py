"""Whether clients can use the public URL, and whether the cluster routes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from productive_operator.doctor.fetching import Answer, NoAnswer, Web, is_safe, out_of_reach
from productive_operator.doctor.installation import OURS, Installation
from productive_operator.doctor.reading import ClusterReader
from productive_operator.doctor.result import Result, ok, wrong

TITLE: Final = "public URL"
SERVER: Final = "authorization server"
RESOURCE: Final = "protected resource"
CHALLENGE: Final = "challenge of /mcp"
ROUTE: Final = "route from outside"
_SERVER_PATH: Final = "/.well-known/oauth-authorization-server"
_RESOURCE_PATH: Final = "/.well-known/oauth-protected-resource/mcp"
_ROUTING: Final = (
    "Something in front of the gateway answers: route every path of this host to its Service, and "
    "protect it with nothing else, such as an access page."
)
_SAME_URL: Final = "Set publicUrl of the chart to the address that people use."


async def check_public_url(web: Web, installation: Installation, *, inside: bool) -> list[Result]:
    """Ask what every client asks first.

    Args:
        web: for the requests.
        installation: whose URL.
        inside: whether we are in the cluster, where a network policy may be in the way.
    """
    base = installation.public_url
    if base is None:
        raise installation.needs()
    if not is_safe(base):
        remedy = "Set publicUrl of the chart to an https address."
        return [wrong(TITLE, f"{base} is not an https address", remedy)]
    try:
        server = await web.get(base + _SERVER_PATH)
        resource = await web.get(base + _RESOURCE_PATH)
        endpoint = await web.get(f"{base}/mcp", Accept="application/json")
    except NoAnswer as error:
        if inside:
            raise out_of_reach(base, error) from error
        return [
            wrong(
                TITLE,
                f"{base} {error}",
                "Check DNS, the certificate, and the Ingress or HTTPRoute of the host; then that "
                "replicas of the gateway are ready.",
            )
        ]
    return [
        ok(TITLE, f"{base} answers"),
        judge_server(base, server),
        judge_resource(base, resource),
        judge_challenge(base, endpoint),
    ]


def judge_server(base: str, answer: Answer) -> Result:
    """Judge the authorization server metadata (RFC 8414 3.3)."""
    named = answer.document().get("issuer")
    if answer.status != HTTPStatus.OK or named is None:
        return wrong(SERVER, f"{base}{_SERVER_PATH} answers {answer.status}, no metadata", _ROUTING)
    if named != base:
        return wrong(SERVER, f"the gateway calls itself {str(named)[:200]}, not {base}", _SAME_URL)
    return ok(SERVER, f"it is {base}")


def judge_resource(base: str, answer: Answer) -> Result:
    """Judge the protected resource metadata (RFC 9728 3.3)."""
    document = answer.document()
    if answer.status != HTTPStatus.OK or not document:
        found = f"{base}{_RESOURCE_PATH} answers {answer.status}, no metadata"
        return wrong(RESOURCE, found, _ROUTING)
    if document.get("resource") != f"{base}/mcp" or document.get("authorization_servers") != [base]:
        return wrong(RESOURCE, f"its metadata are not those of {base}/mcp", _SAME_URL)
    return ok(RESOURCE, f"it is {base}/mcp")


def judge_challenge(base: str, answer: Answer) -> Result:
    """Judge the answer to a request without a token (RFC 9728 5.1)."""
    challenge = answer.headers.get("www-authenticate", "")
    named = re.search(r'resource_metadata="([^"]*)"', challenge)
    if answer.status != HTTPStatus.UNAUTHORIZED:
        found = f"{base}/mcp answers {answer.status} without a token, not 401"
        return wrong(CHALLENGE, found, _ROUTING)
    if named is None or not named[1].startswith(f"{base}/"):
        found = "the 401 of /mcp does not say where to sign in (WWW-Authenticate)"
        return wrong(CHALLENGE, found, "Let the proxy in front pass WWW-Authenticate on.")
    return ok(CHALLENGE, "401, and it says where to sign in")


async def check_route(reader: ClusterReader, installation: Installation) -> Result:
    """Look for the host of the public URL in the release's Ingress and HTTPRoute."""
    base, namespace = installation.public_url, installation.namespace
    if base is None:
        raise installation.needs()
    query = [("labelSelector", OURS)]
    ingresses = await reader.items(
        f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses",
        f"list ingresses in {namespace}",
        query=query,
    )
    routes = await reader.items(
        f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes",
        f"list httproutes in {namespace}",
        query=query,
    )
    return judge_route(base, [*_ingress_hosts(ingresses), *_route_hosts(routes)])


def judge_route(base: str, hosts: list[str]) -> Result:
    """Judge the hosts that the release routes."""
    host = urlsplit(base).hostname or ""
    if not hosts:
        return ok(ROUTE, "the release has no Ingress and no HTTPRoute: something else routes")
    if host in hosts or any(one[1:] == host[host.find(".") :] for one in hosts if one[:1] == "*"):
        return ok(ROUTE, f"{host} is routed to the gateway")
    return wrong(
        ROUTE,
        f"routed are {', '.join(hosts)}, and not {host} of the public URL",
        "Run helm upgrade: the chart takes the host from publicUrl.",
    )


def _ingress_hosts(ingresses: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for one in ingresses:
        for rule in one["spec"].get("rules") or ():
            yield str(rule.get("host", "*"))


def _route_hosts(routes: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for one in routes:
        yield from map(str, one["spec"].get("hostnames") or ())
