"""Runs the command that stands for a language model.

The question is on its standard input, and what it writes to standard output is its answer. It finds
the server in its environment:

    MCP_URL, MCP_TOKEN   the address, and the bearer token to send
    MCP_CONFIG           a file with both in the form that most assistants read:
                         {"mcpServers": {"productive": {"type": "http", "url": …, "headers": …}}}
    EVAL_REPORT          a file to which it may write {"turns": n}: its own count of the times that
                         the model was asked
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.eval.product import Product


class ModelFailed(Exception):
    """The command ended with an error, or not in time; `str()` says how."""


@dataclass(frozen=True, slots=True)
class Said:
    """What came of one question."""

    answer: str
    turns: int | None
    """As the command counts them."""


async def ask(command: str, question: str, product: Product, seconds: float) -> Said:
    """Run the command, by a shell, for one question.

    Raises:
        ModelFailed: it ended with an error, or took longer.
    """
    with tempfile.TemporaryDirectory(prefix="productive-mcp-eval-") as folder:
        report = Path(folder, "report.json")
        process = await asyncio.create_subprocess_shell(
            command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "MCP_URL": product.url,
                "MCP_TOKEN": product.token,
                "MCP_CONFIG": str(_written(Path(folder, "mcp.json"), product)),
                "EVAL_REPORT": str(report),
            },
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate(question.encode())
        except TimeoutError:
            raise ModelFailed(f"was not done after {seconds:.0f} s") from None
        finally:
            if process.returncode is None:
                # The shell's children, too: they hold its pipes.
                os.killpg(process.pid, signal.SIGKILL)
                await process.communicate()
        if process.returncode:
            last = err.decode(errors="replace").strip().splitlines()[-1:]
            raise ModelFailed(f"ended with code {process.returncode}: {' '.join(last)[:200]}")
        return Said(out.decode(errors="replace"), _turns(report))


def _written(file: Path, product: Product) -> Path:
    headers = {"Authorization": f"Bearer {product.token}"}
    server = {"type": "http", "url": product.url, "headers": headers}
    file.write_text(json.dumps({"mcpServers": {"productive": server}}))
    return file


def _turns(report: Path) -> int | None:
    return int(json.loads(report.read_text())["turns"]) if report.exists() else None
