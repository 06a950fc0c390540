from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from harness.mount import MappingMount
from harness.scripted import until
from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.watched.mapping_file import LocalMapping

ANA = '{"Ana@example.com":{"userId":"7","apiToken":"t"}}'
BO = '{"bo@example.com":{"userId":8,"apiToken":"t"}}'
VERSION_1 = json.dumps({"version": 1, "revision": 4, "users": {}})


def emails(people: LocalMapping) -> set[str]:
    return set(people.snapshot().by_email)


def test_the_setting_itself_may_be_the_workers_json() -> None:
    people = LocalMapping(Secret(ANA))
    people.poll()
    assert emails(people) == {"ana@example.com"}
    assert people.snapshot().by_email["ana@example.com"].user_id == 7


def test_a_file_of_either_version_is_read(tmp_path: Path) -> None:
    for document, revision in ((ANA, 0), (VERSION_1, 4)):
        file = tmp_path / "users.json"
        file.write_text(document)
        assert LocalMapping(file).snapshot().revision == revision


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "users.json.gz").write_bytes(gzip.compress(ANA.encode()))
    assert emails(LocalMapping(tmp_path / "users.json.gz")) == {"ana@example.com"}


async def test_a_changed_file_is_read_again_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    file.write_text(ANA)
    people = LocalMapping(file)
    task = asyncio.create_task(people.run())
    file.write_text(BO)
    await until(lambda: emails(people) == {"bo@example.com"})
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_follower_gets_the_present_mapping_and_each_that_comes_into_use(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    file.write_text(ANA)
    people = LocalMapping(file)
    told: list[set[str]] = []
    people.follow(lambda snapshot: told.append(set(snapshot.by_email)))
    people.poll()
    for text in ("{", BO):
        file.write_text(text)
        people.poll()
    assert told == [{"ana@example.com"}, {"bo@example.com"}]


def test_a_replaced_file_of_the_same_size_is_noticed(tmp_path: Path) -> None:
    file, fresh = tmp_path / "users.json", tmp_path / "fresh.json"
    file.write_text(ANA)
    people = LocalMapping(file)
    fresh.write_text(ANA.replace("Ana", "Eva"))
    fresh.replace(file)
    people.poll()
    assert emails(people) == {"eva@example.com"}


@pytest.mark.attack("M-13")
def test_a_file_that_becomes_unreadable_or_absent_leaves_the_last_good_mapping(
    tmp_path: Path,
) -> None:
    file = tmp_path / "users.json"
    file.write_text(ANA)
    people = LocalMapping(file)
    file.write_text("{")
    people.poll()
    assert "not JSON" in str(people.problem)
    file.unlink()
    people.poll()
    assert "empty" in str(people.problem)
    assert emails(people) == {"ana@example.com"}
    file.write_text(ANA)
    people.poll()
    assert people.problem is None


def test_a_file_that_is_unreadable_from_the_start_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    file.write_text("[]")
    people = LocalMapping(file)
    assert "not a JSON object" in str(people.problem)
    with pytest.raises(Unavailable):
        people.snapshot()


def test_an_absent_file_is_waited_for(tmp_path: Path) -> None:
    people = LocalMapping(tmp_path / "users.json")
    with pytest.raises(Unavailable):
        people.snapshot()
    (tmp_path / "users.json").write_text(ANA)
    people.poll()
    assert emails(people) == {"ana@example.com"}


def test_a_mounted_folder_is_followed(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "m")
    mount.write({"users.json": ANA.encode()})
    people = LocalMapping(tmp_path / "m")
    assert emails(people) == {"ana@example.com"}
    mount.write({"users.json": BO.encode()})
    people.poll()
    assert emails(people) == {"bo@example.com"}
