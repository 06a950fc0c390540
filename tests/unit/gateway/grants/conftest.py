"""One replica over a store in memory whose faults a test chooses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import Replica
from harness.oauthkit import AuditLog, audit_log
from productive_gateway.grants.store_memory import MemoryGrantStore


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryGrantStore())


@pytest.fixture
def replica(store: FaultyStore) -> Replica:
    return Replica.over(store)


@pytest.fixture
def audited() -> Iterator[AuditLog]:
    with audit_log() as log:
        yield log
