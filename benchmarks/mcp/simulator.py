"""The simulator of Productive without its limits: `simulator.py PORT`."""

from __future__ import annotations

import asyncio
import sys

from productive_dev.serving import serve
from productive_dev.simulator.app import simulator
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.sockets import listen

UNLIMITED = 1_000_000_000


def main() -> None:
    config = SimulatorConfig(requests_per_token=UNLIMITED, requests_per_organization=UNLIMITED)
    asyncio.run(serve(simulator(config), listen(int(sys.argv[1]))))


if __name__ == "__main__":
    main()
