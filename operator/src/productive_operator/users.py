"""ProductiveUsers and token Secrets as values, decoded from what the API server or a file holds.

The rules of the CRD are repeated here: an object may have been stored before a rule existed, and
files never met an API server. A broken rule never raises; it is a message in `User.problems`.
Called by `cluster`, `handlers` and `offline.render`; pure.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from productive_contract.email import EmailError, canonical_email
from productive_contract.mapping import Access
from productive_contract.names import DEFAULT_TOKEN_KEY
from productive_contract.secret import Secret
from productive_operator.fields import Fields

TOOLSETS: Final = (
    "core",
    "tasks",
    "time",
    "approvals",
    "planning",
    "budgets",
    "finance",
    "docs",
    "advanced",
)
MAX_USER_ID: Final = 2**53 - 1
"""Beyond it JSON readers lose digits."""

FIRST_INSTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before it a `revokedBefore` is a mistake, such as the zero time of a Go program."""

_SECRET_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_SECRET_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_ORGANIZATION: Final = re.compile(r"[0-9]{1,20}")
# RFC 3339 5.6, which is stricter than what Python reads; in upper case, as the API server reads it.
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


_TOOLSETS_PROBLEM: Final = (
    f"spec.access.toolsets may name each of these once: {', '.join(TOOLSETS)}"
)


@dataclass(frozen=True, slots=True)
class User:
    """One ProductiveUser."""

    namespace: str
    name: str
    uid: str
    created: datetime
    email: str
    """As written, canonical or not."""
    holds: str | None
    """The canonical e-mail that this object competes for; None if it has no valid address."""
    user_id: int | None
    secret_name: str
    secret_key: str
    generation: int = 1
    deleting: bool = False
    organization_id: str | None = None
    access: Access = field(default_factory=Access)
    suspend: bool = False
    revoked_before: datetime | None = None
    problems: tuple[str, ...] = ()
    """Which rules the spec breaks, as messages without a full stop."""
    ignored_toolsets: tuple[str, ...] = ()
    """Toolsets that a newer CRD knows: they narrow nothing that this version could allow."""

    @property
    def title(self) -> str:
        """namespace/name, the way people refer to it."""
        return f"{self.namespace}/{self.name}"

    @property
    def age(self) -> tuple[datetime, str]:
        """Orders objects by age: seconds of creation, then the uid."""
        return (self.created, self.uid)


@dataclass(frozen=True, slots=True)
class TokenSecret:
    """One Secret of the token type; its values are masked."""

    namespace: str
    name: str
    values: Mapping[str, Secret]
    version: str = ""
    """uid and resourceVersion: the same text is the same Secret."""


def decode_user(body: Mapping[str, Any], *, strict: bool = False) -> User:
    """Read one ProductiveUser.

    Args:
        body: the object; its metadata is complete.
        strict: whether fields that the CRD does not know are a problem. The API server refuses or
            drops them; from it they are what a newer CRD added, and are ignored.
    """
    metadata = body["metadata"]
    problems: list[str] = []
    spec = Fields.of(body.get("spec"), "spec", problems)
    reference = Fields.of(spec.take("apiTokenSecretRef"), "spec.apiTokenSecretRef", problems)
    email = spec.text("email")
    ignored: list[str] = []
    return User(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        generation=metadata.get("generation", 1),
        deleting="deletionTimestamp" in metadata,
        email=email or "",
        holds=_canonical(email, problems),
        user_id=_user_id(spec.take("userId"), problems),
        secret_name=_matching(
            reference.text("name"),
            _SECRET_NAME,
            "spec.apiTokenSecretRef.name must be the name of a Secret",
            problems,
        )
        or "",
        secret_key=_matching(
            reference.text("key", default=DEFAULT_TOKEN_KEY),
            _SECRET_KEY,
            "spec.apiTokenSecretRef.key must be a key of a Secret",
            problems,
        )
        or DEFAULT_TOKEN_KEY,
        organization_id=_matching(
            spec.text("organizationId", default=None),
            _ORGANIZATION,
            'spec.organizationId must be a number in quotes, such as "1200"',
            problems,
        ),
        access=_access(spec.take("access"), problems, ignored, strict=strict),
        suspend=spec.flag("suspend"),
        revoked_before=_instant(spec.text("revokedBefore", default=None), problems),
        # These lists are handed over last: the readers above add to them.
        problems=_finish(problems, spec, reference, strict=strict),
        ignored_toolsets=tuple(ignored),
    )


def decode_secret(body: Mapping[str, Any]) -> TokenSecret:
    """Read one Secret of the API server.

    A value that is not UTF-8 is decoded with replacement characters, which no token may have: it is
    not the same as a missing one.
    """
    values = {
        key: Secret(_base64(value).decode(errors="replace"))
        for key, value in (body.get("data") or {}).items()
    }
    metadata = body["metadata"]
    return TokenSecret(metadata["namespace"], metadata["name"], values, secret_version(body))


def secret_version(body: Mapping[str, Any]) -> str:
    """Return what distinguishes this state of a Secret from every other."""
    metadata = body["metadata"]
    return f"{metadata.get('uid', '')}/{metadata.get('resourceVersion', '')}"


def _base64(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        # The API server never has such a value; in a file it is a token that was not encoded.
        return b"\xff"


def _canonical(email: str | None, problems: list[str]) -> str | None:
    if email is None:
        return None
    try:
        canonical = canonical_email(email)
    except EmailError as error:
        problems.append(str(error))
        return None
    if canonical != email:
        problems.append(f"the e-mail address must be in lower case: write {canonical}")
    return canonical


def _user_id(value: object, problems: list[str]) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_USER_ID:
        return value
    problems.append(
        "spec.userId must be the number in the address of the person's page in Productive "
        "(.../people/9104)"
    )
    return None


def _matching(
    value: str | None, pattern: re.Pattern[str], message: str, problems: list[str]
) -> str | None:
    if value is None or pattern.fullmatch(value):
        return value
    problems.append(message)
    return None


def _access(value: object, problems: list[str], ignored: list[str], *, strict: bool) -> Access:
    if value is None:
        return Access()
    fields = Fields.of(value, "spec.access", problems)
    toolsets = _toolsets(fields.take("toolsets"), problems)
    if toolsets is not None:
        unknown = [name for name in toolsets if name not in TOOLSETS]
        toolsets = tuple(name for name in toolsets if name in TOOLSETS)
        if unknown and strict:
            problems.append(_TOOLSETS_PROBLEM)
        else:
            ignored.extend(unknown)
    access = Access(read_only=fields.flag("readOnly"), toolsets=toolsets)
    if strict:
        fields.refuse_others()
    return access


def _toolsets(value: object, problems: list[str]) -> tuple[str, ...] | None:
    """Read the list, whatever names are in it; None leaves the gateway's."""
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        problems.append(
            "spec.access.toolsets must be a list of at least one toolset; leave it out to allow all"
        )
        return None
    names = tuple(name for name in value if isinstance(name, str))
    if len(set(names)) < len(value):
        problems.append(_TOOLSETS_PROBLEM)
    return tuple(dict.fromkeys(names))


def _instant(text: str | None, problems: list[str]) -> datetime | None:
    """Read a time, rounded up to the next whole second: what was made within it ends too."""
    if text is None:
        return None
    if _DATE_TIME.fullmatch(text):
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(text).astimezone(UTC)
            whole = moment.replace(microsecond=0)
            if moment >= FIRST_INSTANT:
                return whole if whole == moment else whole + timedelta(seconds=1)
    problems.append(
        "spec.revokedBefore must be a time from the year 2000 on, such as 2026-11-23T12:00:00Z; "
        "leave it out to end no sign-in"
    )
    return None


def _finish(
    problems: list[str], spec: Fields, reference: Fields, *, strict: bool
) -> tuple[str, ...]:
    if strict:
        spec.refuse_others()
        reference.refuse_others()
    return tuple(problems)
