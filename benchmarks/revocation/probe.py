"""Asks one replica with one token until it is refused, and records how that went."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Final

import httpx

REFUSALS: Final = frozenset({401, 403})
OUR_FAULT: Final = 503
BURST_SECONDS: Final = 25.0
"""How long after the start a probe asks often."""
_OFTEN: Final = 0.2
_SELDOM: Final = 1.0
_BODY: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


class Probe:
    """One client that sends a request again and again; a thread of its own."""

    def __init__(self, port: int, host: str, token: str) -> None:
        self._headers = {
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {token}",
            "Host": host,
        }
        self._url = f"http://127.0.0.1:{port}/mcp"
        self._began = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.last_served = -1.0
        """When the last answer of 200 had come, by `time.monotonic`."""
        self.unavailable_since: float | None = None
        """When 503 began to be the answer, unless 200 came after it."""
        self.refused: int | None = None
        """401 or 403, once that was the answer."""
        self.answers: Counter[int] = Counter()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def is_over(self, seconds: float) -> bool:
        """Whether it was refused, or got nothing but 503 for that long."""
        since = self.unavailable_since
        away = since is not None and time.monotonic() - since >= seconds
        return self.refused is not None or away

    def _run(self) -> None:
        with httpx.Client(timeout=30, trust_env=False) as http:
            while not self._stopped.is_set() and self.refused is None:
                self._ask(http)
                often = time.monotonic() - self._began < BURST_SECONDS
                self._stopped.wait(_OFTEN if often else _SELDOM)

    def _ask(self, http: httpx.Client) -> None:
        status = http.post(self._url, json=_BODY, headers=self._headers).status_code
        now = time.monotonic()
        self.answers[status] += 1
        if status == httpx.codes.OK:
            self.last_served, self.unavailable_since = now, None
        elif status == OUR_FAULT:
            self.unavailable_since = self.unavailable_since or now
        else:
            assert status in REFUSALS, status
            self.refused = status
