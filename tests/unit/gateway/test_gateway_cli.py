"""`productive-gateway`: the commands that need no cluster."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from productive_gateway.cli import main
from productive_gateway.sealing.keys import parse_ring


def test_keys_new_prints_a_secret_that_the_gateway_can_use(
    capsys: pytest.CaptureFixture[str],
) -> None:
    manifest = printed(capsys, "keys", "new", "--name", "company-keys", "--namespace", "productive")
    assert manifest["apiVersion"] == "v1"
    assert manifest["kind"] == "Secret"
    assert manifest["type"] == "productive-mcp.dev/key-ring"
    assert manifest["metadata"]["name"] == "company-keys"
    assert manifest["metadata"]["namespace"] == "productive"
    ring = parse_ring(manifest["stringData"]["keys.json"].encode())
    assert [key.kid for key in ring.keys] == [ring.current]
    assert ring.epoch == 0


def test_keys_new_names_no_namespace_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = printed(capsys, "keys", "new", "--name", "company-keys")
    assert "namespace" not in manifest["metadata"]


@pytest.mark.parametrize("name", ["1e3", "true", "a.b-c", "0"])
def test_keys_new_takes_every_name_that_kubernetes_takes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(capsys, "keys", "new", "--name", name)["metadata"]["name"] == name


def test_keys_new_prints_another_key_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (printed(capsys, "keys", "new", "--name", "keys") for _ in range(2))
    assert first["stringData"] != second["stringData"]


@pytest.mark.parametrize("option", ["--name", "--namespace"])
@pytest.mark.parametrize("name", ["Keys", "a b", "a\nb: c", "", "-a", "a" * 254])
def test_keys_new_refuses_what_is_no_name(
    option: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", "new", "--name=keys", f"{option}={name}"])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "lower-case letters, digits" in said.err


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(arguments) == 0
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.parametrize("command", ["rotate", "status", "sign-everybody-out"])
def test_keys_of_a_setting_are_rotated_in_the_settings(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KEY_RING_SECRET", raising=False)
    monkeypatch.setenv("COOKIE_ENCRYPTION_KEY", "0f" * 32)
    assert main(["keys", command]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "COOKIE_ENCRYPTION_KEY_PREVIOUS" in said.err
    assert "0f0f" not in said.err


@pytest.mark.parametrize("options", [[], ["--all", "--user", "ana"], ["g-x", "--all"]])
def test_grants_revoke_must_be_told_whose_sign_ins_to_end(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grants", "revoke", "--yes", *options]) == 2
    assert "say whose sign-ins to end" in capsys.readouterr().err


@pytest.mark.parametrize("days", ["-1", "x", "1.5", "99999", ""])
def test_a_schedule_needs_a_number_of_days(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", "rotate", "--if-older-than", days])
    assert ended.value.code == 2
    assert "write a number of days" in capsys.readouterr().err
