"""YAML files with ProductiveUsers and token Secrets, read as strictly as `kubectl apply` would."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from productive_contract.names import GROUP, KIND, TOKEN_TYPE, VERSION

SUFFIXES: Final = (".yaml", ".yml", ".json")
DEFAULT_NAMESPACE: Final = "default"


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


class _Loader(yaml.SafeLoader):
    """Reads YAML as Kubernetes does: times stay texts, and no key is repeated."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is repeated or not a text", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


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
            data[key] = encode(manifest, key, value)
    return data


def _manifests(file: Path) -> Iterator[Manifest]:
    try:
        documents = list(yaml.load_all(file.read_bytes(), Loader=_Loader))
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
    name = metadata.get("name") if isinstance(metadata, dict) else None
    namespace = (metadata.get("namespace") if isinstance(metadata, dict) else None) or (
        DEFAULT_NAMESPACE
    )
    if not isinstance(name, str) or not name or not isinstance(namespace, str):
        raise ManifestError(f"{file}: a {kind} has no metadata.name; give it one")
    return Manifest(file, kind, namespace, name, body)


def _checked(manifest: Manifest, key: str, value: Any) -> str:
    try:
        base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise ManifestError(
            f'{manifest.file}: key "{key}" of Secret {manifest.name} is not base64; write the '
            "token under stringData instead"
        ) from None
    return str(value)


def _encoded(manifest: Manifest, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ManifestError(
            f'{manifest.file}: key "{key}" of Secret {manifest.name} is not a text; put it in '
            "quotes"
        )
    return base64.b64encode(value.encode()).decode()
