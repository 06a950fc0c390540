"""The commands: `run` and `doctor` work on a cluster, `render` and `import` on files."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import NoReturn

import structlog

from productive_operator.offline.import_command import import_worker_mapping
from productive_operator.offline.manifests import ManifestError
from productive_operator.offline.private_file import write_mapping
from productive_operator.offline.render import Rendered, render_files, watch_files
from productive_operator.terminal import FAILED, columns, fail


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its status."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.command == "run":
        sys.exit(_run())
    if parsed.command == "doctor":
        sys.exit(_doctor(parsed.namespace, parsed.release, as_script=parsed.output == "json"))
    if parsed.command == "import":
        sys.exit(import_worker_mapping(parsed.path, parsed.out))
    sys.exit(_render(parsed.paths, parsed.out, watch=parsed.watch))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="productive-operator",
        description="Renders ProductiveUsers into the mapping that the gateway reads.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "run", help="run in a Kubernetes cluster; settings are environment variables"
    )
    doctor = commands.add_parser(
        "doctor",
        help="check an installation and say what is wrong; exit status 0 nothing, 1 warnings, "
        "2 something wrong",
    )
    doctor.add_argument("--namespace", help="namespace of the release; found if there is only one")
    doctor.add_argument("--release", help="name of the Helm release; found if there is only one")
    doctor.add_argument("--output", choices=("text", "json"), default="text")
    render = commands.add_parser("render", help="show what YAML files amount to, without a cluster")
    render.add_argument(
        "paths", nargs="+", type=Path, metavar="FILE", help="YAML file, or folder of them"
    )
    render.add_argument("--watch", action="store_true", help="repeat when a file changes")
    render.add_argument(
        "--out", type=Path, metavar="users.json", help="write the mapping, tokens included"
    )
    imported = commands.add_parser(
        "import", help="show, or write, the manifests for the Cloudflare Worker's users.json"
    )
    imported.add_argument("path", type=Path, metavar="users.json")
    imported.add_argument(
        "--out",
        type=Path,
        metavar="people.yaml|FOLDER",
        help="write the manifests, tokens included: one file, or a folder with one for each person",
    )
    return parser


def _run() -> int:
    # Kopf and the Kubernetes client take a second to import, which `render` does not need.
    from productive_kube.errors import ApiError, NoCluster
    from productive_operator import logs, program
    from productive_operator.health import PortUnavailable
    from productive_operator.mapping_watch import StoreWentBack
    from productive_operator.settings import Settings, SettingsError
    from productive_operator.watches import WatchDied

    try:
        settings = Settings.load(os.environ)
    except SettingsError as error:
        return fail(str(error))
    logs.configure(settings.log_level)
    try:
        asyncio.run(program.run(settings))
    except (NoCluster, PortUnavailable, StoreWentBack, WatchDied, program.NotInstalled) as error:
        return fail(str(error))
    except ApiError as error:
        return fail(f"the API server refused the operator: {error}; check its Role")
    except Exception:  # noqa: BLE001 (the outermost: the traceback belongs in the log)
        structlog.get_logger("program").exception("operator.crashed")
        return FAILED
    return 0


def _doctor(namespace: str | None, release: str | None, *, as_script: bool) -> int:
    # As for `run`.
    from productive_operator.doctor.command import examine

    with suppress(KeyboardInterrupt):
        return asyncio.run(examine(namespace, release, os.environ, as_script=as_script))
    return FAILED


def _render(paths: Sequence[Path], out: Path | None, *, watch: bool) -> int:
    if watch:
        with suppress(KeyboardInterrupt):
            asyncio.run(_watch(paths, out))
        return 0
    try:
        rendered = render_files(paths)
        _publish(rendered, out)
    except ManifestError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{out} cannot be written: {error.strerror}")
    return 0


async def _watch(paths: Sequence[Path], out: Path | None) -> None:
    async with aclosing(watch_files(paths)) as changes:
        async for change in changes:
            if isinstance(change, ManifestError):
                fail(f"{change}; until then the people stay as they are")
                continue
            try:
                _publish(change, out)
            except OSError as error:
                fail(f"{out} cannot be written: {error.strerror}")


def _publish(rendered: Rendered, out: Path | None) -> None:
    sys.stdout.write(table(rendered))
    sys.stdout.flush()
    if out is not None:
        write_mapping(out, rendered.mapping)


def table(rendered: Rendered) -> str:
    """Return people and reasons as text, without tokens; those who cannot act are explained."""
    cells = [("USER", "EMAIL", "USER ID", "READY", "REASON")]
    cells += [
        (row.user, row.email, str(row.user_id or "?"), str(row.ready), row.reason.value)
        for row in rendered.rows
    ]
    lines = columns(cells)
    lines += [f"{row.user}: {row.message}" for row in rendered.rows if not row.usable]
    return "\n".join(lines) + "\n"
