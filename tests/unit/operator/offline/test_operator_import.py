"""The Worker's mapping becomes manifests: every entry is taken over, or named with the reason."""

from __future__ import annotations

import json
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from productive_contract.mapping import State
from productive_operator.cli import main
from productive_operator.offline.importing import plan_import, write_manifests
from productive_operator.offline.object_names import object_names
from productive_operator.offline.render import render_files
from productive_operator.offline.worker_mapping import WorkerMappingError, read_worker_mapping
from productive_operator.users import MAX_USER_ID

TOKEN = "secret-token-of-somebody"
PRINTABLE = [chr(code) for code in range(ord("!"), ord("~") + 1)]


def entry(user_id: object = 9104, token: object = TOKEN, **more: object) -> dict[str, Any]:
    return {"userId": user_id, "apiToken": token, **more}


def document(people: dict[str, Any]) -> bytes:
    return json.dumps(people).encode()


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """Two good entries and a broken one between them."""
    path = tmp_path / "users.json"
    people = {
        "Ana.Kovac@example.com": entry(),
        "bob": entry(9105, "secret-token-of-bob"),
        "cleo@example.com": entry("9106", "secret-token-of-cleo"),
    }
    path.write_bytes(document(people))
    return path


def run(*arguments: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(["import", *(str(argument) for argument in arguments)])
    return ended.value.code


def problems(people: dict[str, Any]) -> str:
    plan = plan_import(document(people))
    assert plan.people == ()
    assert TOKEN not in repr(plan)
    return "\n".join(plan.problems)


def test_a_dry_run_shows_people_and_problems_without_tokens_and_writes_nothing(
    users: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(users) == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split() == ["USER", "EMAIL", "USER", "ID", "SECRET"]
    assert lines[1].split() == [
        "ana-kovac",
        "ana.kovac@example.com",
        "9104",
        "ana-kovac-productive",
    ]
    assert lines[2].split()[0] == "cleo"
    assert 'entry 2: the e-mail address must have exactly one "@"' in printed.out
    assert lines[-1].startswith("Nothing was written.")
    assert "secret-token" not in printed.out + printed.err
    assert list(users.parent.iterdir()) == [users]


def test_a_file_gets_all_people_and_is_private(
    users: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = users.parent / "people.yaml"
    out.touch(mode=0o644)
    assert run(users, "--out", out) == 1, "one entry was left out"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "namespace:" not in out.read_text()
    assert [row.ready for row in render_files([out]).rows] == [True, True]
    printed = capsys.readouterr().out
    assert f"kubectl apply --server-side -n <release>-users -f {out}" in printed
    assert "secret-token" not in printed


def test_a_folder_gets_a_private_file_for_each_person_again_and_again(users: Path) -> None:
    out = users.parent / "people"
    for _ in range(2):
        run(users, "--out", out)
        assert stat.S_IMODE(out.stat().st_mode) == 0o700
        files = sorted(out.iterdir())
        assert [file.name for file in files] == ["ana-kovac.yaml", "cleo.yaml"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(render_files([out]).mapping.people) == 2


def test_a_folder_with_other_manifests_is_refused(
    users: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = users.parent / "people"
    out.mkdir()
    (out / "somebody.yaml").touch()
    assert run(users, "--out", out) == 1
    told = capsys.readouterr().err
    assert "somebody.yaml is not part of this import" in told
    assert "choose an empty folder" in told
    assert len(list(out.iterdir())) == 1


def test_the_file_that_is_read_is_never_overwritten(
    users: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = users.read_bytes()
    assert run(users, "--out", users) == 1
    assert "write to another one" in capsys.readouterr().err
    assert users.read_bytes() == before


def test_with_nothing_left_out_it_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_bytes(b"\xef\xbb\xbf" + document({"ana@example.com": entry()}))
    assert run(path) == 0
    assert run(path, "--out", tmp_path / "people.yaml") == 0


def test_when_everybody_is_left_out_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_bytes(document({"ana": entry()}))
    assert run(path, "--out", tmp_path / "people.yaml") == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_is_reported_in_one_message(
    users: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert run(users, "--out", users.parent / "people.yaml") == 1
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert list(users.parent.iterdir()) == [users]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "correct the path"),
        (b"{\n'x'", "line 2: it is not JSON"),
        (b"\xff", "check that it is the right file"),
        (b"[" * 100_000, "check that it is the right file"),
        (b"[]", "it must look like"),
        (b"{}", "it is empty or not an object"),
        (b'{"version":1,"revision":1,"users":{}}', "use the ProductiveUsers"),
    ],
)
def test_another_kind_of_document_is_refused_with_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, told: str
) -> None:
    path = tmp_path / "users.json"
    if content is not None:
        path.write_bytes(content)
    assert run(path) == 1
    printed = capsys.readouterr().err
    assert told in printed
    assert str(path) in printed
    assert printed.count("\n") == 1


def test_a_syntax_error_is_reported_without_quoting_its_line() -> None:
    with pytest.raises(WorkerMappingError) as refused:
        read_worker_mapping(f'{{"ana@example.com": {{"apiToken": "{TOKEN}}}'.encode())
    assert TOKEN not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (entry(user_id=None), "userId must be the number"),
        (entry(user_id=0), "userId must be the number"),
        (entry(user_id=True), "userId must be the number"),
        (entry(user_id=9104.0), "userId must be the number"),
        (entry(user_id="9" * 5000), "userId must be the number"),
        (entry(user_id=MAX_USER_ID + 1), "userId must be the number"),
        (entry(token=None), "apiToken must be the person's token"),
        (entry(token=" \n"), "apiToken must be the person's token"),
        (entry(token=["x"]), "apiToken must be the person's token"),
        (entry(token=f"{TOKEN} x"), "is not a token"),
        (entry(token="x" * 1025), "is not a token"),
        ({}, "apiToken must be"),
        (TOKEN, "it must be an object with userId and apiToken"),
        ([TOKEN], "it must be an object with userId and apiToken"),
    ],
)
def test_each_wrong_field_of_an_entry_has_its_message(value: object, told: str) -> None:
    said = problems({"ana@example.com": value})
    assert said.startswith('entry 1 ("ana@example.com"): ')
    assert told in said


def test_all_problems_of_an_entry_are_reported_at_once() -> None:
    assert problems({"ana": {}}).count("entry 1: ") == 3


def test_a_key_that_may_be_a_token_is_not_shown() -> None:
    assert problems({TOKEN: entry()}).startswith("entry 1: the e-mail address")


def test_a_key_cannot_write_to_the_terminal() -> None:
    assert problems({"\x1b[2J@example.com": entry()}).isprintable()


def test_entries_that_contradict_each_other_are_all_left_out() -> None:
    people = {"ana@example.com": entry(1), "Ana@Example.com": entry(2)}
    assert "ana@example.com is in entries 1 and 2 with different content" in problems(people)


def test_a_repeated_field_is_a_problem() -> None:
    one = json.dumps({"ana@example.com": entry(1)})[1:-1]
    two = json.dumps({"ana@example.com": entry(2)})[1:-1]
    assert plan_import(f"{{{one}, {one}}}".encode()).problems == ()
    plan = plan_import(f"{{{one}, {two}}}".encode())
    assert plan.people == ()
    assert len(plan.problems) == 2
    field = '{"ana@example.com": {"userId": 1, "userId": 2, "apiToken": "x"}}'
    assert "is repeated" in plan_import(field.encode()).problems[0]


def test_equal_entries_are_one_person() -> None:
    plan = plan_import(document({"ana@example.com": entry(), "ANA@example.com": entry("9104")}))
    assert [person.email for person in plan.people] == ["ana@example.com"]
    assert plan.problems == ()


def test_suspicious_entries_are_imported_with_a_note() -> None:
    people = {
        "ana@example.com": entry(1, "one"),
        "bob@example.com": entry(2, "one"),
        "cleo@example.com": entry(1, "two", isAdmin=True),
    }
    plan = plan_import(document(people))
    assert len(plan.people) == 3
    notes = "\n".join(plan.notes)
    assert "2 entries have userId 1" in notes
    assert "2 entries with different userIds have one token" in notes
    assert 'entry 3 ("cleo@example.com"): only userId and apiToken are imported.' in notes


def test_names_come_from_the_address() -> None:
    emails = {
        "ana.kovac@example.com": "ana-kovac",
        "o'brien+work@example.com": "o-brien-work",
        "_@example.com": "person",
        "42@example.com": "42",
        f"{'x' * 64}@example.com": "x" * 45,
    }
    assert object_names(emails) == emails


def test_equal_names_are_numbered_whatever_the_order() -> None:
    emails = [
        "ana@b.example",
        "ana@a.example",
        "ana-2@a.example",
        "a.na@a.example",
        "ana@c.example",
    ]
    expected = {
        "ana@a.example": "ana",
        "ana-2@a.example": "ana-2",
        "ana@b.example": "ana-3",
        "ana@c.example": "ana-4",
        "a.na@a.example": "a-na",
    }
    assert object_names(emails) == expected
    assert object_names(reversed(emails)) == expected


def test_correcting_an_entry_changes_no_other_name() -> None:
    people = {"ana@b.example": entry(), "ana@a.example": entry(token="")}
    broken = plan_import(document(people))
    mended = plan_import(document(people | {"ana@a.example": entry(9105, "x")}))
    assert [person.name for person in broken.people] == ["ana-2"]
    assert [person.name for person in mended.people] == ["ana-2", "ana"]


locals_ = st.text(st.sampled_from([*"aAbB19-._+'!#$%&*/=?^`{|}~"]), min_size=1, max_size=12)
domains = st.sampled_from(["a.example", "b.example", "B.example"])
emails_ = st.builds("{}@{}".format, locals_, domains)
tokens = st.one_of(
    st.text(st.sampled_from(PRINTABLE), min_size=1, max_size=40),
    st.sampled_from(["1e5", "0o17", "null", "y", "2026-11-23", "{}", "---", "\\", '"', "x" * 1024]),
)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        emails_,
        st.fixed_dictionaries(
            {"userId": st.integers(1, MAX_USER_ID), "apiToken": tokens},
        ),
        min_size=1,
        max_size=8,
    )
)
def test_imported_manifests_render_to_the_same_people(people: dict[str, dict[str, Any]]) -> None:
    plan = plan_import(document(people))
    spellings = [email.lower() for email in people]
    expected = {
        email.lower(): (value["userId"], value["apiToken"])
        for email, value in people.items()
        if spellings.count(email.lower()) == 1
    }
    kept = {person.email: (person.user_id, person.token.reveal()) for person in plan.people}
    assert expected.items() <= kept.items()
    names = [person.name for person in plan.people]
    assert len(set(names)) == len(names)
    if not plan.people:
        return
    with tempfile.TemporaryDirectory() as folder:
        for out in (Path(folder) / "people.yaml", Path(folder) / "people"):
            write_manifests(plan.people, out)
            rendered = render_files([out])
            assert {
                email: (person.user_id, person.api_token and person.api_token.reveal())
                for email, person in rendered.mapping.people.items()
            } == kept
            assert {p.state for p in rendered.mapping.people.values()} == {State.ACTIVE}


json_ = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.one_of(st.text(max_size=10), emails_), json_, min_size=1))
def test_any_document_is_either_read_or_refused(people: dict[str, Any]) -> None:
    try:
        plan = plan_import(json.dumps(people).encode())
    except WorkerMappingError:
        return
    # Each entry is a person or is named: none is lost without a word.
    told = {sentence.split(":")[0].split(" (")[0] for sentence in plan.problems}
    repeated = len(people) - len({key.lower() for key in people})
    assert len(plan.people) + len(told) >= len(people) - repeated
