"""How a sign-in at the provider fails.

UpstreamUnavailable   the provider is unavailable or slow: the client may try again
UpstreamRefused       what the provider sent cannot be accepted
 └─ IdentityRefused   the person is genuine, but the provider vouches for no usable address

`reason` is a slug for audit lines and metrics. Messages quote nothing that a provider sent, except
the e-mail address that the person just signed in with.
"""

from __future__ import annotations

from productive_gateway.errors import GatewayError, Unavailable


class UpstreamUnavailable(Unavailable):
    """The provider did not answer, or answered that it is unavailable."""


class UpstreamRefused(GatewayError):
    """The provider's answer breaks a rule; the sign-in ends without a grant."""


class UnknownSigningKey(UpstreamRefused):
    """The token names a key that is not in the key set; a newer key set may have it."""


class IdentityRefused(UpstreamRefused):
    """The provider vouches for no address that can be matched with a person."""

    def __init__(self, message: str, *, reason: str, email: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.email = email
        """The address as the provider sent it, for the page that the person sees."""
