"""How often a token and an organization may ask.

100 requests in 10 s per token, 4,000 in 30 min per organization, and 10 reports in 30 s per token
are the guide's, and that windows are fixed. That they begin at whole multiples of their length is
inferred.
"""

from __future__ import annotations

import math
from typing import Final

from productive_dev.simulator.errors import too_many_requests

TOKEN_PERIOD: Final = 10
ORGANIZATION_PERIOD: Final = 1800
REPORT_PERIOD: Final = 30


class Limiter:
    """Counts requests in fixed windows."""

    def __init__(self, *, per_token: int, per_organization: int, reports: int = 10) -> None:
        self._per_token = per_token
        self._per_organization = per_organization
        self._reports = reports
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}

    def count(
        self,
        now: float,
        *,
        token: str,
        organization: str,
        limit: int | None = None,
        report: bool = False,
    ) -> None:
        """Count one request of a token in an organization.

        Raises:
            Problem: 429, when a window was full; such a request is not counted.
        """
        wanted = [
            (f"token:{token}", TOKEN_PERIOD, limit or self._per_token),
            (f"organization:{organization}", ORGANIZATION_PERIOD, self._per_organization),
        ]
        if report:
            wanted.append((f"reports:{token}", REPORT_PERIOD, self._reports))
        for name, period, most in wanted:
            if self._used(now, name, period) >= most:
                reset = math.ceil((now // period + 1) * period - now)
                raise too_many_requests(most, period, max(reset, 1))
        for name, period, _ in wanted:
            used = self._used(now, name, period)
            self._counts[name, period] = (int(now // period), used + 1)

    def _used(self, now: float, name: str, period: int) -> int:
        window, used = self._counts.get((name, period), (0, 0))
        return used if window == int(now // period) else 0
