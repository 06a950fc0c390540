"""The example server of github.com/zitadel/oidc: a second provider that we did not write.

It is certified, has its issuer at the root of its host, and tells the address in userinfo only.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from harness.cache import cache_folder, locked
from harness.golang import find_go

NEEDED: Final = (1, 26)
"""The version of Go that the module asks for."""
MODULE: Final = "github.com/zitadel/oidc/v3/example/server@v3.52.0"


def zitadel_server() -> Path:
    """Return the program, after building it once."""
    folder = cache_folder() / f"zitadel-{MODULE.rpartition('@')[2]}"
    program = folder / "server"
    with locked(folder.with_suffix(".lock")):
        if not program.exists():
            folder.mkdir(parents=True, exist_ok=True)
            go = find_go(NEEDED)
            done = subprocess.run(
                [go.path, "install", MODULE],
                env=go.environment() | {"GOBIN": str(folder)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    return program
