"""Subject bindings: which upstream account an e-mail address belongs to.

Made at a person's first sign-in and never changed: another account that shows the same address
later is refused. An administrator who replaced the account deletes the binding. It belongs to the
ProductiveUser's uid, so a ProductiveUser made anew starts without one.
"""

from __future__ import annotations

import hmac
from typing import Final

from productive_contract.clock import Entropy
from productive_contract.names import LABEL_USER, LABEL_USER_UID
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import Exists, SubjectMismatch
from productive_gateway.grants.naming import subject_name
from productive_gateway.grants.patience import Patience
from productive_gateway.grants.record import label_value
from productive_gateway.grants.store import GrantStore, Kind, Record

_DIGEST: Final = "digest"


async def bind_subject(
    store: GrantStore, user_uid: str, user: str, digest: str, entropy: Entropy
) -> None:
    """Bind the person to an upstream subject, or see that they are bound to it.

    Args:
        store: where bindings are.
        user_uid: uid of the ProductiveUser.
        user: namespace/name of it, for the label.
        digest: of the subject that signed in.
        entropy: for the waits between tries.

    Raises:
        SubjectMismatch: they are bound to another one.
        StoreFull: there is no room.
        Unavailable: the store is away.
    """
    name = subject_name(user_uid)
    labels = {LABEL_USER_UID: user_uid, LABEL_USER: label_value(user.rpartition("/")[2])}
    wanted = Record(Kind.SUBJECT, name, labels, {_DIGEST: digest.encode()})
    patience = Patience(entropy)
    held: Record | None = None
    while held is None:
        try:
            held = await patience.call(store.get(name))
            if held is None:
                held = await patience.call(store.create(wanted))
        except Exists:
            await patience.conflict()
        except Unavailable as error:
            await patience.trouble(error)
    if not hmac.compare_digest(held.data.get(_DIGEST, b""), digest.encode()):
        raise SubjectMismatch
