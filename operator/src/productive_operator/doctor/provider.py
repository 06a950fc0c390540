"""Whether the sign-in provider can be used as it is configured."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from productive_operator.doctor.fetching import Answer, NoAnswer, Web, is_safe, out_of_reach
from productive_operator.doctor.installation import Installation, Provider
from productive_operator.doctor.result import Result, ok, wrong

ISSUER: Final = "provider's issuer"
KEYS: Final = "provider's keys"
_DISCOVERY: Final = "/.well-known/openid-configuration"
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_CORRECT: Final = "Correct signIn of the chart (OIDC_ISSUER), exactly as the provider spells it."
_RSA_BITS: Final = 2048


async def check_provider(
    web: Web, installation: Installation, *, inside: bool
) -> tuple[list[Result], Answer | None]:
    """Fetch the provider's documents; returns the last answer, for its clock, too.

    Args:
        web: for the requests.
        installation: whose provider.
        inside: whether we are in the cluster, where a network policy may be in the way.
    """
    provider = installation.provider
    if provider is None:
        raise installation.needs()
    jwks, results = provider.jwks_url, []
    answer: Answer | None = None
    try:
        if provider.issuer is not None:
            url = provider.issuer.rstrip("/") + _DISCOVERY
            answer = await web.get(url)
            results.append(judge_discovery(provider.issuer, url, answer))
            jwks = str(answer.document().get("jwks_uri") or "") or None
        else:
            results.append(judge_endpoints(provider))
        if jwks is not None:
            answer = await web.get(jwks)
            results.append(judge_keys(jwks, answer))
    except NoAnswer as error:
        failed = jwks if results and jwks else provider.issuer or jwks
        title = KEYS if results else ISSUER
        if inside:
            raise out_of_reach(failed, error) from error
        remedy = "Correct signIn of the chart, or the network, or set SSL_CERT_FILE here."
        results.append(wrong(title, f"{failed} {error}", remedy))
    return results, answer


def judge_discovery(issuer: str, url: str, answer: Answer) -> Result:
    """Judge the metadata (OpenID Connect Discovery 1.0 4.3)."""
    document = answer.document()
    if answer.status != HTTPStatus.OK or not document:
        return wrong(ISSUER, f"{url} answers {answer.status} without metadata", _CORRECT)
    named = document.get("issuer")
    if named != issuer:
        return wrong(ISSUER, f"{url} names the issuer {str(named)[:200]}, not {issuer}", _CORRECT)
    weak = [name for name in _ENDPOINTS if not is_safe(document.get(name))]
    if weak:
        return wrong(
            ISSUER,
            f"its metadata have no https address for {', '.join(weak)}",
            "Ask the administrator of the provider.",
        )
    return ok(ISSUER, f"{issuer} answers with its metadata")


def judge_endpoints(provider: Provider) -> Result:
    """Judge endpoints that are configured one by one."""
    weak = [url or "(empty)" for url in provider.endpoints if not is_safe(url)]
    if weak:
        return wrong(ISSUER, f"these are no https addresses: {', '.join(weak)}", _CORRECT)
    return ok(ISSUER, "its endpoints are https addresses")


def judge_keys(url: str, answer: Answer) -> Result:
    """Judge the key set: ID tokens are accepted with RS256 only."""
    keys = answer.document().get("keys")
    usable = [key for key in keys if _usable(key)] if isinstance(keys, list) else []
    if answer.status != HTTPStatus.OK or not usable:
        return wrong(
            KEYS,
            f"{url} answers {answer.status} without an RSA key for RS256 signatures",
            "Let the provider sign ID tokens with RS256, or correct the address of its keys.",
        )
    return ok(KEYS, f"{len(usable)} for RS256")


def _usable(key: object) -> bool:
    if not isinstance(key, Mapping) or key.get("kty") != "RSA":
        return False
    modulus = key.get("n")
    long = isinstance(modulus, str) and len(modulus) * 6 >= _RSA_BITS - 8
    return long and key.get("use", "sig") == "sig" and key.get("alg", "RS256") == "RS256"
