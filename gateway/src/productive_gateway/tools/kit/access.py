"""What a person may use here: the gateway's limits, narrowed by the person's own access."""

from __future__ import annotations

from dataclasses import dataclass

from productive_gateway.tools.kit.declare import Kind, Tool


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one person may use."""

    read_only: bool
    toolsets: tuple[str, ...]

    def permits(self, tool: Tool) -> bool:
        """Return whether the tool may be used."""
        reads = tool.kind is Kind.READS
        return tool.toolset in self.toolsets and (reads or not self.read_only)
