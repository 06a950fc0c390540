"""YAML files with ProductiveUsers and token Secrets, read as strictly as `kubectl apply` would."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from productive_contract.names import GROUP, KIND, TOKEN_TYPE, VERSION
from productive_operator.offline.yaml_documents import read_documents

SUFFIXES: Final = (".yaml", ".yml", ".json")
DEFAULT_NAMESPACE: Final = "default"


_LONGEST_NAME: Final = 253
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_WITHOUT_BREAKS: Final = str.maketrans("", "", "\r\n")
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SECRET: Final = frozenset(
    {"apiVersion", "kind", "metadata", "data", "stringData", "type", "immutable"}
)
_METADATA: Final = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


class ManifestError(Exception):
    """A file cannot be read or is wrong; `str()` names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object of a file."""

    file: Path
    kind: str
    namespace: str
    name: str
    body: dict[str, Any]


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files, folders opened, in the order given; inside a folder by name.

    Raises:
        ManifestError: a path does not exist.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files.extend(sorted(file for file in path.iterdir() if file.suffix in SUFFIXES))
        elif path.exists():
            files.append(path)
        else:
            raise ManifestError(f"{path}: there is no such file or folder; correct the path")
    return files


def read_manifests(paths: Iterable[Path]) -> list[Manifest]:
    """Return the ProductiveUsers and Secrets of all files, in order; other kinds are left out.

    Raises:
        ManifestError: a file cannot be read, or an object has no name or is repeated.
    """
    found: dict[tuple[str, str, str], Manifest] = {}
    for file in find_files(paths):
        for manifest in _manifests(file):
            key = (manifest.kind, manifest.namespace, manifest.name)
            if key in found:
                raise ManifestError(
                    f"{file}: {manifest.kind} {manifest.namespace}/{manifest.name} is also "
                    f"in {found[key].file}; remove one of them"
                )
            found[key] = manifest
    return list(found.values())


def secret_data(manifest: Manifest) -> dict[str, str] | None:
    """Return a Secret's `data` with `stringData` in it, base64; None if it is of another type.

    Raises:
        ManifestError: a value is not a text, or in `data` not base64.
    """
    if manifest.body.get("type") != TOKEN_TYPE:
        return None
    data: dict[str, str] = {}
    for field, encode in (("data", _checked), ("stringData", _encoded)):
        values = manifest.body.get(field) or {}
        if not isinstance(values, dict):
            raise ManifestError(
                f"{manifest.file}: {field} of Secret {manifest.name} is not an object"
            )
        for key, value in values.items():
            if not _KEY.fullmatch(key):
                raise ManifestError(
                    f"{manifest.file}: {key!r} cannot be a key of Secret {manifest.name}; write "
                    'letters, digits, "-", "_" and "."'
                )
            # A key whose value is null is one that is not there.
            if value is not None:
                data[key] = encode(manifest, key, value)
    return data


def _manifests(file: Path) -> Iterator[Manifest]:
    try:
        documents = read_documents(file.read_bytes())
    except (OSError, UnicodeError) as error:
        raise ManifestError(f"{file}: it cannot be read; check that it is a text file") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ManifestError(f"{file}{_place(error)}: it is not YAML; correct it") from None
    for body in documents:
        yield from _objects(file, body)


def _place(error: Exception) -> str:
    # Only where, never what: the line may be the one with a token.
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def _objects(file: Path, body: Any) -> Iterator[Manifest]:
    if body is None:
        return
    if not isinstance(body, dict):
        raise ManifestError(f"{file}: a document in it is not an object; remove or correct it")
    version, kind = body.get("apiVersion"), body.get("kind")
    if kind == "List" and isinstance(body.get("items"), list):
        for item in body["items"]:
            yield from _objects(file, item)
    elif (kind == KIND and version == f"{GROUP}/{VERSION}") or (
        kind == "Secret" and version == "v1"
    ):
        yield _manifest(file, kind, body)
    elif kind in (KIND, "Secret"):
        raise ManifestError(
            f"{file}: {kind} has an unknown apiVersion; write {GROUP}/{VERSION} for "
            f"{KIND} and v1 for Secret"
        )


def _manifest(file: Path, kind: str, body: dict[str, Any]) -> Manifest:
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        raise ManifestError(f"{file}: a {kind} has no metadata.name; give it one")
    name, namespace = metadata["name"], metadata.get("namespace") or DEFAULT_NAMESPACE
    if not isinstance(name, str) or len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise ManifestError(
            f"{file}: {name!r} cannot be the name of a {kind}; write lower case letters, digits, "
            '"-" and ".", beginning and ending with a letter or digit'
        )
    if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
        raise ManifestError(
            f"{file}: {namespace!r} cannot be a namespace; write up to 63 lower case letters, "
            'digits and "-"'
        )
    for field in ("labels", "annotations"):
        values = metadata.get(field) or {}
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            raise ManifestError(
                f"{file}: {field} of {kind} {name} must be texts; put their values in quotes"
            )
    unknown = sorted(metadata.keys() - _METADATA)
    if kind == "Secret":
        unknown += sorted(body.keys() - _SECRET)
    if unknown:
        raise ManifestError(f"{file}: {kind} {name} has an unknown field {unknown[0]}; remove it")
    return Manifest(file, kind, namespace, name, body)


def _checked(manifest: Manifest, key: str, value: Any) -> str:
    try:
        # Line breaks are not part of base64, wherever they are.
        encoded = value.translate(_WITHOUT_BREAKS) if isinstance(value, str) else "?"
        base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ManifestError(
            f'{manifest.file}: key "{key}" of Secret {manifest.name} is not base64; write the '
            "token under stringData instead"
        ) from None
    return encoded


def _encoded(manifest: Manifest, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ManifestError(
            f'{manifest.file}: key "{key}" of Secret {manifest.name} is not a text; put it in '
            "quotes"
        )
    return base64.b64encode(value.encode()).decode()
