"""`productive-operator import`: a dry run unless a target is given."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from productive_operator.offline.importing import FolderInUse, Plan, plan_import, write_manifests
from productive_operator.offline.worker_mapping import WorkerMappingError
from productive_operator.terminal import FAILED, columns, fail


def import_worker_mapping(path: Path, out: Path | None) -> int:
    """Print what the Worker's mapping becomes and, with `out`, write it; return the exit status.

    An entry that cannot be imported is named and fails the command; the others are written.
    """
    try:
        plan = plan_import(path.read_bytes())
    except OSError as error:
        return fail(f"{path} cannot be read: {error.strerror}; correct the path")
    except WorkerMappingError as error:
        return fail(f"{path}: {error}")
    sys.stdout.write("\n".join(report(plan)) + "\n")
    written = 0 if out is None or not plan.people else _write(plan, path, out)
    if out is None:
        sys.stdout.write(
            "Nothing was written. To write the manifests, tokens included, add --out people.yaml\n"
        )
    return FAILED if plan.problems else written


def report(plan: Plan) -> Sequence[str]:
    """Return people, problems and notes as lines, without tokens."""
    cells = [("USER", "EMAIL", "USER ID", "SECRET")]
    cells += [(p.name, p.email, str(p.user_id), p.secret) for p in plan.people]
    lines = columns(cells)
    for title, messages in (("Left out", plan.problems), ("Check", plan.notes)):
        if messages:
            lines += ["", f"{title}:", *(f"  {message}" for message in messages)]
    return [*lines, ""]


def _write(plan: Plan, path: Path, out: Path) -> int:
    if out.exists() and out.samefile(path):
        return fail(f"{out} is the input file; write to another one")
    try:
        write_manifests(plan.people, out)
    except FolderInUse as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{out} cannot be written: {error.strerror}")
    sys.stdout.write(
        f"People written: {len(plan.people)}, tokens included. Next: kubectl apply --server-side "
        f"-n <release>-users -f {out}, then delete {out}\n"
    )
    return 0
