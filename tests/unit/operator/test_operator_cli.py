"""The commands, as a person at a terminal meets them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from productive_contract.mapping import GZIP_ABOVE, Mapping, Person, State, decode_document
from productive_contract.secret import Secret
from productive_operator.cli import main
from productive_operator.offline import private_file

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def run(*arguments: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def test_render_prints_people_and_reasons_without_tokens(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bob.yaml").write_text(
        "apiVersion: productive-mcp.dev/v1alpha1\nkind: ProductiveUser\nmetadata: {name: bob}\n"
        "spec: {email: bob@example.com, userId: 9105, apiTokenSecretRef: {name: bob}}\n"
    )
    assert run("render", EXAMPLES, tmp_path) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert lines[0].split() == ["USER", "EMAIL", "USER", "ID", "READY", "REASON"]
    assert lines[1].split() == [
        "default/ana-kovac",
        "ana.kovac@northlight.example",
        "9104",
        "True",
        "Synced",
    ]
    assert lines[3].split()[-1] == "TokenSecretNotFound"
    assert lines[4].startswith('default/bob: There is no Secret "bob"')
    assert "simulator-" not in printed


def test_the_mapping_goes_to_a_private_file(tmp_path: Path) -> None:
    out = tmp_path / "users.json"
    out.touch(mode=0o644)
    assert run("render", EXAMPLES, "--out", out) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    people = decode_document(out.read_bytes()).people
    assert people["ana.kovac@northlight.example"].api_token == Secret("simulator-ana-kovac")
    assert list(tmp_path.iterdir()) == [out]


def test_a_large_mapping_is_written_plain(tmp_path: Path) -> None:
    people = {
        f"p{n}@example.com": Person(f"p{n}@example.com", f"uid-{n}", f"x/p{n}", 1, State.NO_TOKEN)
        for n in range(5000)
    }
    out = tmp_path / "users.json"
    private_file.write_mapping(out, Mapping(1, people))
    assert out.stat().st_size > GZIP_ABOVE
    assert json.loads(out.read_bytes())["revision"] == 1


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "users.json"
    out.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_file.os, "fsync", full)
    assert run("render", EXAMPLES, "--out", out) == 1
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["render", "/does/not/exist.yaml"], "correct the path"),
        (["render", EXAMPLES, "--out", "/does/not/exist/users.json"], "cannot be written"),
    ],
)
def test_each_failure_is_one_message(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert run(*arguments) == 1
    printed = capsys.readouterr().err
    assert told in printed
    assert printed.startswith("productive-operator: ")
    assert printed.count("\n") == 1


def test_without_settings_it_does_not_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USERS_NAMESPACE", "MAPPING_SECRET", "USERS_NAMESPCE"):
        monkeypatch.delenv(name, raising=False)
    assert run("run") == 1
    assert "USERS_NAMESPACE is not set: set it to the namespace" in capsys.readouterr().err


def test_a_missing_cluster_is_reported_without_a_traceback(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "productive_operator", "run"],
        env={
            "USERS_NAMESPACE": "x",
            "MAPPING_SECRET": "y",
            "KUBECONFIG": str(tmp_path / "missing"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "set KUBECONFIG to the path of a kubeconfig file" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_render_needs_no_kubernetes_client() -> None:
    code = (
        "import sys, productive_operator.cli as cli\n"
        "try: cli.main(['render', sys.argv[1]])\n"
        "except SystemExit: print(sorted({'kopf', 'kubernetes', 'aiohttp'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, EXAMPLES], check=True, capture_output=True, text=True
    )
    assert told.stdout.splitlines()[-1] == "[]"
