"""Everything that one request is judged by: the state, the caller, the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from productive_dev.simulator.access import Caller
from productive_dev.simulator.clock import local, stamp
from productive_dev.simulator.records import Record, Ref, State
from productive_dev.simulator.zones import zone_of

if TYPE_CHECKING:
    from productive_dev.simulator.declare.resource import Resource


@dataclass(frozen=True, slots=True)
class Context:
    """What filters, computed attributes and writes look at."""

    state: State
    caller: Caller
    now: float
    resources: Mapping[str, Resource]
    flags: frozenset[str] = field(default_factory=frozenset)
    """Names from the X-Feature-Flags header."""

    @property
    def organization(self) -> str:
        """Return the id of the organization that the caller acts in."""
        return self.caller.organization

    @property
    def moment(self) -> datetime:
        """Return the present in the organization's time zone."""
        record = self.state.get("organizations", self.organization)
        return local(self.now, zone_of(record.attributes["time_zone"] if record else "UTC"))

    @property
    def today(self) -> date:
        """Return the organization's date."""
        return self.moment.date()

    @property
    def stamp(self) -> str:
        """Return the present as the API writes it."""
        return stamp(self.moment)

    @property
    def whole_stamp(self) -> str:
        """Return the present without milliseconds, as in `closed_at` and its like (recorded)."""
        return stamp(self.moment, milliseconds=False)

    def follow(self, record: Record, *path: str) -> Record | None:
        """Walk along to-one relations; None where one of them is empty."""
        return self.state.follow(record, *path)

    def sees(self, record: Record) -> bool:
        """Tell whether a record exists for the caller."""
        if record.organization != self.organization:
            return False
        resource = self.resources.get(record.type)
        return resource is None or resource.sees(self, record)

    def visible(self, ref: Ref | None) -> Record | None:
        """Return a record that exists for the caller."""
        record = self.state.at(ref)
        return record if record is not None and self.sees(record) else None

    def all(self, kind: str) -> Iterator[Record]:
        """Yield the records of a type in this organization."""
        return (r for r in self.state.all(kind) if r.organization == self.organization)
