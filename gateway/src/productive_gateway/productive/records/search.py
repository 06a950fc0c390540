"""What Productive's quick search names: records of several kinds by their titles."""

from __future__ import annotations

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.record import Record


class SearchResult(Record, type="search-quick-results", path="/search/quick"):
    """One record that a quick search found."""

    kind: str | None = has.word("record_type", shown=False)
    """`project`, `deal`, `budget`, `person`, `company`, `task` or `page`."""
    record: str | None = has.ident("record_id", default=None)
    name: str = has.name("title")
    subtitle: str | None = has.name("subtitle", default=None)
    """What the record is in: a project, a company."""
    status: str | None = has.word("status", shown=False)
    """`active` or `closed`; the latter also for what is archived or deactivated."""
