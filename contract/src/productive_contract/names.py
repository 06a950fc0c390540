"""Names in Kubernetes objects; they are API and change only with a migration."""

from __future__ import annotations

from typing import Final

GROUP: Final = "productive-mcp.dev"
VERSION: Final = "v1alpha1"
PLURAL: Final = "productiveusers"
KIND: Final = "ProductiveUser"

TOKEN_TYPE: Final = f"{GROUP}/token"
"""Type of Secrets with a person's Productive token; the operator reads no other type."""
MAPPING_TYPE: Final = f"{GROUP}/mapping"
KEY_RING_TYPE: Final = f"{GROUP}/key-ring"
GRANT_TYPE: Final = f"{GROUP}/grant"
SUBJECT_TYPE: Final = f"{GROUP}/subject"
LEDGER_TYPE: Final = f"{GROUP}/ledger"

LABEL_USER_UID: Final = f"{GROUP}/user-uid"
LABEL_USER: Final = f"{GROUP}/user"
LABEL_CLIENT: Final = f"{GROUP}/client"
LABEL_STATE: Final = f"{GROUP}/state"
LABEL_EXPIRES_DAY: Final = f"{GROUP}/expires-day"
LABEL_ABSENT_SINCE: Final = f"{GROUP}/absent-since"

DEFAULT_TOKEN_KEY: Final = "token"  # noqa: S105 (the name of a key in a Secret)
MAPPING_KEY: Final = "users.json"
MAPPING_KEY_GZIP: Final = "users.json.gz"
KEY_RING_KEY: Final = "keys.json"

OPERATOR_FIELD_MANAGER: Final = "productive-operator"
