"""Which folder the Kubernetes programs are used from."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import build
from harness.golang import BuildError, Go


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PRODUCTIVE_MCP_KUBE", raising=False)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PRODUCTIVE_MCP_CACHE", str(tmp_path / "cache"))


def _folder(path: Path, names: tuple[str, ...]) -> Path:
    path.mkdir()
    for name in names:
        (path / name).touch(mode=0o755)
    return path


def test_a_configured_folder_with_all_programs_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assets = _folder(tmp_path / "assets", build.NEEDED)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert build.programs() == assets
    own = _folder(tmp_path / "own", build.NEEDED)
    monkeypatch.setenv("PRODUCTIVE_MCP_KUBE", str(own))
    assert build.programs() == own


def test_a_configured_folder_without_some_program_is_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Envtest's archive has no kube-controller-manager."""
    lacking = tuple(name for name in build.NEEDED if name != "kube-controller-manager")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(_folder(tmp_path / "assets", lacking)))
    assert build.given_folder() is None


def test_without_programs_a_message_says_how_to_build_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = Go(Path("/usr/bin/go"), "go1.26.0")
    monkeypatch.setattr(build, "find_go", lambda _: go)
    with pytest.raises(BuildError, match="make programs"):
        build.programs()


def test_another_toolchain_builds_into_another_folder() -> None:
    older, newer = (build.built_folder(Go(Path("go"), v)) for v in ("go1.26.0", "go1.26.1"))
    assert older != newer
    assert older.name.startswith(f"kube-{build.kubernetes_version()}-")
