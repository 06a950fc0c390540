"""Writes files that hold tokens: readable by their owner only, and never half-written."""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path

from productive_contract.mapping import Mapping, encode
from productive_contract.names import MAPPING_KEY, MAPPING_KEY_GZIP


def write_mapping(path: Path, mapping: Mapping) -> None:
    """Write the mapping as plain JSON with mode 0600, replacing the file atomically.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    data = encode(mapping)
    packed = data.get(MAPPING_KEY_GZIP)
    write_privately(path, data[MAPPING_KEY] if packed is None else gzip.decompress(packed))


def write_privately(path: Path, content: bytes) -> None:
    """Write with mode 0600 beside the file, then replace the file.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
