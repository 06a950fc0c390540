"""The operator's settings, from the environment; a wrong one is refused with a message."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_NAME: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NEAR: Final = 0.85
"""Likeness above which an unknown variable counts as a misspelt one of ours."""
_SERVICE_LINK: Final = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP).*)?)")


class SettingsError(Exception):
    """A setting is missing or wrong; `str()` names it and what to write."""


class Settings(BaseSettings):
    """The operator's settings."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    users_namespace: Annotated[str, Field(pattern=f"^{_NAME}$")]
    """Namespace of the ProductiveUsers and their token Secrets."""
    mapping_secret: Annotated[str, Field(pattern=rf"^({_NAME}/)?[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")]
    """Name of the mapping Secret in our own namespace, or namespace/name."""
    internal_port: Annotated[int, Field(ge=1, le=65535)] = 9090
    """Port of /livez, /readyz and /metrics."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @classmethod
    def load(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings.

        Args:
            environment: all variables, to find misspelt ones; the values are the process's own.

        Raises:
            SettingsError: one is missing, wrong or misspelt.
        """
        known = [name.upper() for name in cls.model_fields]
        for name in environment:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=_NEAR)
            if near and near[0] != name.upper() and not _SERVICE_LINK.fullmatch(name):
                raise SettingsError(f"{name} is not known: write {near[0]}, or remove the variable")
        try:
            return cls()  # type: ignore[call-arg]
        except ValidationError as error:
            raise SettingsError(_message(error)) from None

    def mapping_place(self, own_namespace: str) -> tuple[str, str]:
        """Return namespace and name of the mapping Secret."""
        namespace, slash, name = self.mapping_secret.partition("/")
        return (namespace, name) if slash else (own_namespace, namespace)


_REMEDIES: Final = {
    "users_namespace": "the namespace of the ProductiveUsers, such as productive-users",
    "mapping_secret": "the name of the mapping Secret, such as productive-mapping",
    "internal_port": "a port number, such as 9090",
    "log_level": "DEBUG, INFO, WARNING or ERROR",
}


def _message(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    field = str(first["loc"][0]).lower()
    problem = "is not set" if first["type"] == "missing" else "is wrong"
    return f"{field.upper()} {problem}: set it to {_REMEDIES[field]}"
