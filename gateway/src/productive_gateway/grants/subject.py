"""Subject bindings: which upstream account an e-mail address belongs to.

Made at a person's first sign-in and never changed: another account that shows the same address
later is refused. An administrator who replaced the account deletes the binding. It belongs to the
ProductiveUser's uid, so a ProductiveUser that is created again starts without one.
"""

from __future__ import annotations

import hmac
from typing import Final

from productive_contract.mapping import Person
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import Exists, SubjectMismatch
from productive_gateway.grants.record import Record, RecordKind, person_labels
from productive_gateway.grants.retry_budget import RetryBudget
from productive_gateway.grants.store import GrantStore

_DIGEST: Final = "digest"


def subject_name(user_uid: str) -> str:
    """Return the name of a person's subject binding."""
    return f"subject-{user_uid}"


async def check_subject(store: GrantStore, user_uid: str, digest: str, budget: RetryBudget) -> None:
    """See that nobody else is bound to the person; nothing is stored.

    A person who never connected an app is bound to nobody yet.

    Args:
        store: where bindings are.
        user_uid: of the person.
        digest: of the subject that signed in.
        budget: tries and time.

    Raises:
        SubjectMismatch: the person is bound to another subject.
        Unavailable: the store cannot be reached.
    """
    held = await budget.repeat(lambda: store.get(subject_name(user_uid)))
    if held is not None:
        _compare(held, digest)


async def bind_subject(store: GrantStore, person: Person, digest: str, budget: RetryBudget) -> None:
    """Bind the person to an upstream subject, or see that they are bound to it.

    Args:
        store: where bindings are.
        person: who signed in.
        digest: of the subject that signed in.
        budget: tries and time.

    Raises:
        SubjectMismatch: they are bound to another one.
        StoreFull: there is no room.
        Unavailable: the store cannot be reached.
    """
    name = subject_name(person.uid)
    labels = person_labels(person.uid, person.user)
    wanted = Record(RecordKind.SUBJECT, name, labels, {_DIGEST: digest.encode()})
    held: Record | None = None
    while held is None:
        try:
            held = await budget.call(store.get(name))
            if held is None:
                held = await budget.call(store.create(wanted))
        except Exists:
            await budget.conflict()
        except Unavailable as error:
            await budget.failure(error)
    _compare(held, digest)


def _compare(held: Record, digest: str) -> None:
    if not hmac.compare_digest(held.data.get(_DIGEST, b""), digest.encode()):
        raise SubjectMismatch
