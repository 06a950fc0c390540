"""Why a command of an administrator did nothing."""

from __future__ import annotations

from productive_kube.errors import ApiError, Forbidden, NotFound


class AdminError(Exception):
    """The command cannot be carried out; `str()` says why and what to do."""


def explained(error: ApiError, what: str, remedy: str) -> AdminError | ApiError:
    """Return an error that says what to do, if it is known.

    Args:
        error: what the API server answered.
        what: that was asked for, such as `the Secret productive/productive-keys`.
        remedy: what to do if it does not exist.
    """
    match error:
        case NotFound():
            return AdminError(f"{what} does not exist; {remedy}")
        case Forbidden():
            verb = error.request.partition(" ")[0]
            return AdminError(
                f"your account has no right to {verb} {what}, or an admission policy refused it; "
                "use the kubeconfig of an administrator of that namespace"
            )
        case _:
            return error
