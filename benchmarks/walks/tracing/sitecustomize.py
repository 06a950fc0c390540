"""Records which files of the product execute a function.

Python imports a module of this name when a program starts. `benchmarks.walks` puts its folder on
PYTHONPATH and names a folder for sockets in WALKS_SOCKETS. The program then listens on the socket
`<folder>/<process id>`: the line `begin` starts a recording and `end` stops it. Both are answered
with what was recorded, as JSON.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import socketserver
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

SOURCE = re.compile(r"(productive_(?:contract|gateway|kube|operator)/.+\.py)$")

_serving_request: ContextVar[bool] = ContextVar("serving_request", default=False)
_recording = threading.Event()
_for_requests: set[str] = set()
_in_background: set[str] = set()
"""Files that ran in background tasks, such as a watch."""


def _trace(frame: FrameType, _event: str, _argument: object) -> None:
    """Record a call; Python reports each call and each resumption of a coroutine or generator."""
    code = frame.f_code
    if code.co_name == "run_asgi" and "uvicorn" in code.co_filename:
        # The task of one HTTP request; the tasks that it starts inherit the variable.
        _serving_request.set(True)
    # Bodies of modules and classes run on import; only functions have optimised locals.
    elif _recording.is_set() and code.co_flags & inspect.CO_OPTIMIZED:
        found = SOURCE.search(code.co_filename)
        if found:
            (_for_requests if _is_for_request() else _in_background).add(found[1])


def _is_for_request() -> bool:
    if _serving_request.get():
        return True
    try:
        # The server's protocol parses a request outside of any task.
        return asyncio.current_task() is None
    except RuntimeError:
        return False


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        if self.rfile.readline().strip() == b"begin":
            _for_requests.clear()
            _in_background.clear()
            _recording.set()
        else:
            _recording.clear()
        files = {"requests": sorted(_for_requests), "background": sorted(_in_background)}
        self.wfile.write(json.dumps(files).encode())


def _start(folder: str) -> None:
    server = socketserver.UnixStreamServer(str(Path(folder, str(os.getpid()))), _Answer)
    threading.Thread(target=server.serve_forever, name="walks", daemon=True).start()
    threading.settrace(_trace)
    sys.settrace(_trace)


if "WALKS_SOCKETS" in os.environ:
    _start(os.environ["WALKS_SOCKETS"])
