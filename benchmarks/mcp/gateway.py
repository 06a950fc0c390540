"""The gateway as it is installed, with what the benchmark needs besides: `gateway.py serve`.

Three things differ from `productive-gateway`: a tool `add` that asks Productive nothing; copies of
our tools under other names, so that there are 60; and no limit of ours on requests to Productive,
where a limit would be measured instead of the gateway.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.mcp.tools import sixty

from productive_gateway import app, cli
from productive_gateway.productive.wire.limiter import Limiter
from productive_gateway.tools.registry import TOOLS

UNLIMITED = 1_000_000_000


def main() -> int:
    changed: dict[str, Any] = {
        "TOOLS": sixty(TOOLS),
        "_limiter": lambda _settings: Limiter(
            token_requests=UNLIMITED, organization_requests=UNLIMITED
        ),
    }
    vars(app).update(changed)
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
