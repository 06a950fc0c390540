"""The operator without a cluster: files as strict as kubectl, and the same decisions."""

from __future__ import annotations

import asyncio
import base64
from contextlib import aclosing
from pathlib import Path

import pytest

from productive_contract.mapping import Reason, State
from productive_contract.secret import Secret
from productive_operator.offline.manifests import ManifestError
from productive_operator.offline.render import Rendered, render_files, watch_files

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"

ANA = """
apiVersion: productive-mcp.dev/v1alpha1
kind: ProductiveUser
metadata: {name: ana}
spec: {email: ana@example.com, userId: 9104, apiTokenSecretRef: {name: ana-productive}}
"""
TOKEN = """
apiVersion: v1
kind: Secret
metadata: {name: ana-productive}
type: productive-mcp.dev/token
stringData: {token: token-of-ana}
"""


def write(folder: Path, *documents: str, name: str = "people.yaml") -> Path:
    file = folder / name
    file.write_text("\n---\n".join(documents))
    return file


def render(folder: Path, *documents: str) -> Rendered:
    return render_files([write(folder, *documents)], clock=lambda: 1.0)


def test_the_examples_are_two_people_of_the_simulator() -> None:
    rendered = render_files([EXAMPLES])
    assert [(row.user, row.email, row.user_id, row.ready) for row in rendered.rows] == [
        ("default/ana-kovac", "ana.kovac@northlight.example", 9104, True),
        ("default/marko-cavic", "marko.cavic@northlight.example", 9103, True),
    ]


def test_the_examples_name_no_namespace() -> None:
    for file in EXAMPLES.glob("*.yaml"):
        assert "namespace:" not in file.read_text()


def test_a_person_and_a_token_become_an_entry(tmp_path: Path) -> None:
    rendered = render(tmp_path, ANA, TOKEN)
    (person,) = rendered.mapping.people.values()
    assert (person.user, person.state) == ("default/ana", State.ACTIVE)
    assert person.api_token == Secret("token-of-ana")
    assert rendered.mapping.revision == 1000
    assert "token-of-ana" not in repr(rendered)


def test_the_uid_depends_on_the_name_alone(tmp_path: Path) -> None:
    first = render(tmp_path, ANA, TOKEN).mapping.people["ana@example.com"]
    moved = ANA.replace("ana@example.com", "other@example.com")
    second = render(tmp_path, TOKEN, moved).mapping.people["other@example.com"]
    elsewhere = ANA.replace("{name: ana}", "{name: ana, namespace: x}")
    third = render(tmp_path, elsewhere).mapping.people["ana@example.com"]
    assert first.uid == second.uid != third.uid


def test_an_earlier_object_is_older(tmp_path: Path) -> None:
    copy = ANA.replace("{name: ana}", "{name: copy}")
    rows = render(tmp_path, copy, ANA, TOKEN).rows
    assert [(row.user, row.reason) for row in rows] == [
        ("default/copy", Reason.SYNCED),
        ("default/ana", Reason.EMAIL_CONFLICT),
    ]


def test_files_of_a_folder_go_by_name_and_paths_by_their_order(tmp_path: Path) -> None:
    write(tmp_path, ANA, name="b.yaml")
    write(tmp_path, ANA.replace("{name: ana}", "{name: copy}"), name="a.yml")
    write(tmp_path, "nonsense: [", name="readme.txt")
    assert [row.user for row in render_files([tmp_path]).rows] == ["default/copy", "default/ana"]
    ordered = [tmp_path / "b.yaml", tmp_path / "a.yml"]
    assert [row.user for row in render_files(ordered).rows] == ["default/ana", "default/copy"]


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (TOKEN.replace("type: productive-mcp.dev/token", ""), Reason.TOKEN_SECRET_NOT_FOUND),
        (TOKEN.replace("productive-mcp.dev/token", "Opaque"), Reason.TOKEN_SECRET_NOT_FOUND),
        (
            TOKEN.replace("{name: ana-productive}", "{name: ana-productive, namespace: x}"),
            Reason.TOKEN_SECRET_NOT_FOUND,
        ),
        (TOKEN.replace("{token:", "{key:"), Reason.TOKEN_KEY_MISSING),
        (TOKEN.replace("token-of-ana", '""'), Reason.TOKEN_EMPTY),
        (TOKEN.replace("stringData: {token: token-of-ana}", ""), Reason.TOKEN_KEY_MISSING),
    ],
)
def test_a_missing_token_is_explained(tmp_path: Path, secret: str, reason: Reason) -> None:
    (row,) = render(tmp_path, ANA, secret).rows
    assert row.reason is reason


def test_base64_data_is_read_and_string_data_wins(tmp_path: Path) -> None:
    encoded = base64.b64encode(b"from-data").decode()
    plain = TOKEN.replace("stringData: {token: token-of-ana}", f"data: {{token: {encoded}}}")
    both = TOKEN + f"data: {{token: {encoded}}}\n"
    for document, token in ((plain, "from-data"), (both, "token-of-ana")):
        (person,) = render(tmp_path, ANA, document).mapping.people.values()
        assert person.api_token == Secret(token)


def test_a_time_without_quotes_stays_the_text_that_kubernetes_sees(tmp_path: Path) -> None:
    dated = ANA.replace("spec: {", "spec: {revokedBefore: 2026-11-23T12:00:00Z, ")
    (person,) = render(tmp_path, dated, TOKEN).mapping.people.values()
    assert person.revoked_before is not None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("userId: 9104", 'userId: "9104"'), "spec.userId"),
        (("userId: 9104", "userId: 9104, suspended: true"), "spec.suspended is not known"),
        (("userId: 9104", "userId: 9104, organizationId: 1200"), "organizationId must be a text"),
        (("ana@example.com", "Ana@example.com"), "lower case"),
        (("kind: ProductiveUser", "kind: ProductiveUser\nspecs: {}"), "specs is not known"),
    ],
)
def test_the_rules_of_the_crd_are_applied(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    (row,) = render(tmp_path, ANA.replace(*change), TOKEN).rows
    assert row.reason is Reason.INVALID
    assert told in row.message


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("a: [", "line 1: it is not YAML"),
        ("stringData: {token: one}\nstringData: [token: two}", "line 2: it is not YAML"),
        ("- 1", "not an object"),
        ("[1]: 2", "it is not YAML"),
        (ANA.replace("v1alpha1", "v1"), "unknown apiVersion"),
        (ANA.replace("{name: ana}", "{}"), "no metadata.name"),
        (ANA.replace("{name: ana}", "{name: 5}"), "5 cannot be the name of a ProductiveUser"),
        (ANA.replace("{name: ana}", "{name: Ana}"), "'Ana' cannot be the name"),
        (ANA.replace("{name: ana}", "{name: ana, namespace: A}"), "'A' cannot be a namespace"),
        (ANA.replace("{name: ana}", "{name: ana, x: 1}"), "has an unknown field x"),
        (ANA + "---" + ANA, "is also in"),
        (TOKEN.replace("token-of-ana", "5"), "is not a text; put it in quotes"),
        (TOKEN.replace("stringData: {token: token-of-ana}", "data: {token: '?'}"), "not base64"),
        (TOKEN.replace("stringData: {token: token-of-ana}", "data: {token: 5}"), "not base64"),
        (TOKEN.replace("stringData: {token: token-of-ana}", "data: [x]"), "is not an object"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, document: str, why: str) -> None:
    file = write(tmp_path, document)
    with pytest.raises(ManifestError) as refused:
        render_files([file])
    assert str(file) in str(refused.value)
    assert why in str(refused.value)
    assert "token-of" not in str(refused.value)


def test_a_syntax_error_names_the_line_number_and_never_its_text(tmp_path: Path) -> None:
    file = write(tmp_path, TOKEN.replace("token-of-ana", "'token-of-ana"))
    with pytest.raises(ManifestError) as refused:
        render_files([file])
    assert "token-of" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_path_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="there is no such file or folder"):
        render_files([tmp_path / "missing.yaml"])


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError):
        render_files([file])


def test_lists_are_opened_and_other_kinds_ignored(tmp_path: Path) -> None:
    items = "apiVersion: v1\nkind: List\nitems:\n" + "".join(
        "- " + document.strip().replace("\n", "\n  ") + "\n" for document in (ANA, TOKEN)
    )
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}"
    assert [row.ready for row in render(tmp_path, items, "", other).rows] == [True]


def test_a_revision_rises_only_with_the_content(tmp_path: Path) -> None:
    file = write(tmp_path, ANA, TOKEN)
    first = render_files([file], clock=lambda: 1.0).mapping
    second = render_files([file], previous=first, clock=lambda: 9.0).mapping
    assert second is first
    write(tmp_path, ANA)
    assert render_files([file], previous=first, clock=lambda: 0.5).mapping.revision == 1001


async def test_changes_of_files_are_followed_across_mistakes(tmp_path: Path) -> None:
    file = write(tmp_path, ANA, TOKEN)

    def change(*documents: str) -> None:
        # In place of an editor: a new file in the old one's place.
        write(tmp_path, *documents, name="people.tmp").replace(file)

    async with asyncio.timeout(10), aclosing(watch_files([tmp_path], seconds=0.005)) as seen:
        first = await anext(seen)
        assert isinstance(first, Rendered)
        change("a: [")
        assert isinstance(await anext(seen), ManifestError)
        change(ANA)
        third = await anext(seen)
        assert isinstance(third, Rendered)
        assert third.mapping.revision > first.mapping.revision
        assert [row.reason for row in third.rows] == [Reason.TOKEN_SECRET_NOT_FOUND]
