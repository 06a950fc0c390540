"""Why a write, an undo or a confirmation is refused; nothing was changed then.

GatewayError
 ├─ UndoRefused         its reason is one of `UndoFault`
 ├─ ConfirmRefused      its reason is one of `ConfirmFault`
 └─ Unavailable
     └─ LedgerUnavailable   what is being written cannot be noted, so nothing may be created

`str()` of each is a message for the person and the model: what happened, and what to do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from productive_gateway.errors import GatewayError, Unavailable


class LedgerUnavailable(Unavailable):
    """The ledger cannot be read or written. Reads and plain updates do not need it."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "This is not possible for a moment: the server cannot make sure that it is done only "
            f"once. Nothing was changed. Try again in {retry_after} seconds; reading works.",
            reason="ledger_unavailable",
            retry_after=retry_after,
        )


class UndoFault(StrEnum):
    """Why an undo handle is refused."""

    UNKNOWN = "undo_unknown"
    """This server did not issue it, or it was copied wrongly."""
    ANOTHER_PERSON = "undo_another_person"
    EXPIRED = "undo_expired"
    USED = "undo_used"
    DROPPED = "undo_dropped"
    """It is valid, but there was no room to keep what it would do."""


class ConfirmFault(StrEnum):
    """Why a confirmation token is refused."""

    INVALID = "confirm_invalid"
    """This server did not issue it for this use, or it was copied wrongly."""
    ANOTHER_PERSON = "confirm_another_person"
    OTHER_ARGUMENTS = "confirm_other_arguments"
    """It confirms another call: another tool, or other arguments."""
    EXPIRED = "confirm_expired"
    CHANGED = "confirm_changed"
    """What it would change is no longer as it was in the preview."""
    USED = "confirm_used"


_UNDO: Final = {
    UndoFault.UNKNOWN: "This is not an undo handle of this server. Copy it exactly from the answer "
    "of the call that you want to undo.",
    UndoFault.ANOTHER_PERSON: "This undo handle belongs to another person. Only they can undo it.",
    UndoFault.EXPIRED: "This can no longer be undone with its handle, which was valid for 15 "
    "minutes. Change it back with the other tools.",
    UndoFault.USED: "This was undone before: a handle works once. Look at the present state before "
    "changing anything.",
    UndoFault.DROPPED: "This can no longer be undone with its handle, because too much was written "
    "since. Change it back with the other tools.",
}
_AGAIN: Final = "Call the tool again without `confirm`, show the new preview, and ask."
_CONFIRM: Final = {
    ConfirmFault.INVALID: "This is not a confirmation token of this server. Copy it exactly from "
    f"the preview. {_AGAIN}",
    ConfirmFault.ANOTHER_PERSON: "This confirmation token was issued to another person. Nothing "
    f"was changed. {_AGAIN}",
    ConfirmFault.OTHER_ARGUMENTS: "This confirmation token is for another call: its tool or its "
    "arguments differ. Nothing was changed. Repeat exactly the arguments of the preview. Or: "
    f"{_AGAIN}",
    ConfirmFault.EXPIRED: "This confirmation token has expired; it was valid for 10 minutes. "
    f"Nothing was changed. {_AGAIN}",
    ConfirmFault.CHANGED: "What this would change is no longer as the preview showed it. Nothing "
    f"was changed. {_AGAIN}",
    ConfirmFault.USED: "This confirmation token was used before: it works once. Look at the "
    "present state before changing anything.",
}


class UndoRefused(GatewayError):
    """An undo handle is refused; nothing was changed."""

    def __init__(self, fault: UndoFault) -> None:
        super().__init__(_UNDO[fault], reason=fault.value)
        self.fault = fault


class ConfirmRefused(GatewayError):
    """A confirmation token is refused; nothing was changed."""

    def __init__(self, fault: ConfirmFault) -> None:
        super().__init__(_CONFIRM[fault], reason=fault.value)
        self.fault = fault
