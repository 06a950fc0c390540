"""A collector of OpenTelemetry, built from its own Go modules (`tests/collector`)."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import yaml

from harness.cache import cache_folder, locked
from harness.golang import find_go, required_version

SOURCE = Path(__file__).resolve().parent.parent / "collector"


def collector_program() -> Path:
    """Return the program, after building it once."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((SOURCE / name).read_bytes())
    program = cache_folder() / f"collector-{digest.hexdigest()[:12]}"
    with locked(program.with_suffix(".lock")):
        if not program.exists():
            go = find_go(required_version(SOURCE / "go.mod"))
            flags = ("-mod=readonly", "-trimpath", "-ldflags=-s -w")
            done = subprocess.run(
                [go.path, "build", *flags, "-o", program, "."],
                cwd=SOURCE,
                env=go.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    return program


def collector_config(port: int, forward_to: str) -> str:
    """Return the configuration of a collector that passes each batch on as JSON."""
    exporter = {
        "endpoint": forward_to,
        "encoding": "json",
        "compression": "none",
        "sending_queue": {"enabled": False},
    }
    return yaml.safe_dump(
        {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
            "exporters": {"otlphttp": exporter},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlphttp"]}},
            },
        }
    )
