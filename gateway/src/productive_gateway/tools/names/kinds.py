"""The kinds of records that people refer to."""

from __future__ import annotations

from enum import StrEnum


class RecordKind(StrEnum):
    """A kind of record; the value is its name in messages."""

    TASK = "task"
    TASK_LIST = "task list"
    STATUS = "status"
    PROJECT = "project"
    FOLDER = "folder"
    BUDGET = "budget"
    DEAL = "deal"
    SERVICE = "service"
    PERSON = "person"
    TEAM = "team"
    COMPANY = "company"
    PAGE = "page"
    BOOKING = "booking"
    ABSENCE = "type of absence"
    INVOICE = "invoice"
    EXPENSE = "expense"
    TIME_ENTRY = "time entry"
    CUSTOM_FIELD = "custom field"
    OPTION = "option"
    TODO = "todo"
    COMMENT = "comment"
    DEPENDENCY = "dependency"

    @property
    def indefinite(self) -> str:
        """Return the name with its article, such as "an invoice"."""
        return f"{'an' if self.value[0] in 'aeiou' else 'a'} {self.value}"

    def named_by(self, linked: RecordKind) -> bool:
        """Return whether a link to `linked` may lead to a record of this kind.

        Budgets and sales deals are one resource of Productive and have the same links.
        """
        deals = {RecordKind.BUDGET, RecordKind.DEAL}
        return self is linked or {self, linked} == deals
