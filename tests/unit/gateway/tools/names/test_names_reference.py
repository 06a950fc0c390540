from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.link import LinkError, OtherKind, link_to
from productive_gateway.tools.names.reference import (
    Label,
    Path,
    Reference,
    number_text,
    parse_reference,
)

K = RecordKind


def read(text: str, kind: RecordKind = K.PROJECT) -> Reference:
    return parse_reference(text, kind, organization="1200-nls")


@pytest.mark.parametrize("text", ["30201", " 30201 ", '"30201"', "30201.", "- 30201", "'30201',"])
def test_digits_are_an_id_a_number_or_a_name(text: str) -> None:
    found = read(text)
    assert (found.bare_id, found.numbers, found.leaf) == ("30201", ("30201",), "30201")
    assert found.ids == ("30201",)


@pytest.mark.parametrize(
    "text",
    [
        "Website relaunch (30201)",
        "  Website relaunch (30201).",
        "- Website relaunch (30201)",
        "“Website relaunch (30201)”",
        "Website relaunch(30201)",
        "Website relaunch (30201): P-14, Blue Harbor GmbH",
        "Website relaunch (30201):",
    ],
)
def test_name_with_id_is_read_as_both(text: str) -> None:
    found = read(text)
    assert found.labels[0] == Label("Website relaunch", id="30201")
    assert found.ids == ("30201",)
    assert found.leaf == "Website relaunch"
    assert found.bare_id is None


def test_context_after_a_label_may_look_like_a_label() -> None:
    found = read("Design (16880011): Campaign (2025)", K.SERVICE)
    assert set(found.ids) == {"16880011", "2025"}
    assert Label("Design", id="16880011") in found.labels


@pytest.mark.parametrize(
    ("text", "kind", "numbers"),
    [
        ("#87", K.TASK, ("87",)),
        ("“#87”,", K.TASK, ("87",)),
        ("#9-abc", K.TASK, ("9-abc",)),
        ("P-14", K.PROJECT, ("P-14", "14")),
        ("p-14", K.PROJECT, ("p-14", "14")),
        ("B-14", K.BUDGET, ("B-14", "14")),
        ("D-14", K.DEAL, ("D-14", "14")),
        ("B-14", K.PROJECT, ("B-14",)),
        ("1-2025-2", K.PROJECT, ("1-2025-2",)),
        ("9-abc", K.BUDGET, ("9-abc",)),
        ("2026-02-17", K.PROJECT, ("2026-02-17",)),
        ("P-1-2025-2", K.PROJECT, ("P-1-2025-2", "1-2025-2")),
        ("relaunch", K.PROJECT, ()),
        ("phase 2", K.BUDGET, ()),
    ],
)
def test_numbers_have_any_format(text: str, kind: RecordKind, numbers: tuple[str, ...]) -> None:
    assert read(text, kind).numbers == numbers


@pytest.mark.parametrize("text", ["#87 Homepage wireframes", "Homepage wireframes (#87)"])
def test_name_with_a_number_is_read_as_both(text: str) -> None:
    found = read(text, K.TASK)
    assert found.labels == (Label("Homepage wireframes", number="87"),)
    assert found.searched_numbers == ("87",)
    assert found.ids == ()
    assert found.leaf == "Homepage wireframes"


@pytest.mark.parametrize("text", ["Ana.Kovac@northlight.example", "<ana.kovac@northlight.example>"])
def test_address_is_a_person(text: str) -> None:
    assert read(text, K.PERSON).email == "ana.kovac@northlight.example"
    assert read(text, K.PROJECT).email is None


@pytest.mark.parametrize("text", ["me", "Me", " ME. ", '"me"', "@me"])
def test_me_is_the_calling_person(text: str) -> None:
    assert read(text, K.PERSON).me
    assert not read(text, K.TASK).me


@pytest.mark.parametrize("text", ["@Ana Kovač (9104)", "Ana Kovač (9104)", '"@Ana Kovač (9104)"'])
def test_mention_of_a_person_is_a_name_with_an_id(text: str) -> None:
    assert read(text, K.PERSON).labels[0] == Label("Ana Kovač", id="9104")


@pytest.mark.parametrize(
    "text",
    [
        "https://app.productive.io/1200-nls/tasks/task/20510087?board=1",
        " <https://app.productive.io/1200-nls/tasks/20510087>, ",
        "app.productive.io/1200/tasks/20510087",
        "(https://app.productive.io/1200/tasks/20510087).",
        "[Homepage (wireframes)](https://app.productive.io/1200/tasks/20510087)",
        '"https://app.productive.io/1200/tasks/20510087".',
    ],
)
def test_link_is_an_id_and_nothing_else(text: str) -> None:
    found = read(text, K.TASK)
    assert found.link_id == "20510087"
    assert found.ids == ("20510087",)
    assert (found.labels, found.numbers, found.paths) == ((), (), ())


def test_link_to_another_kind_is_refused() -> None:
    with pytest.raises(OtherKind):
        read(link_to(K.PERSON, "9104", "1200"), K.TASK)


def test_slashes_separate_a_name_from_what_is_around_it() -> None:
    found = read("Blue Harbor / Website relaunch/ Design", K.SERVICE)
    assert found.paths == (
        Path((), "Blue Harbor / Website relaunch/ Design"),
        Path(("Blue Harbor",), "Website relaunch / Design"),
        Path(("Blue Harbor", "Website relaunch"), "Design"),
    )
    assert found.scope == ("Blue Harbor", "Website relaunch")
    assert found.leaf == "Design"


@pytest.mark.parametrize("text", ["Website relaunch /", "/ Website relaunch", "Website relaunch//"])
def test_empty_level_is_no_level(text: str) -> None:
    found = read(text)
    assert (found.leaf, found.scope) == ("Website relaunch", ())


def test_last_level_of_a_path_may_carry_the_id() -> None:
    found = read("Blue Harbor / Website relaunch (30201)")
    assert found.ids == ("30201",)
    assert found.leaf == "Website relaunch"
    assert found.scope == ("Blue Harbor",)


@pytest.mark.parametrize("text", ["", "  ", '""', ".", "/", "()", "#", "@"])
def test_text_without_a_word_names_nothing(text: str) -> None:
    found = read(text)
    assert (found.ids, found.email, found.link_id, found.me) == ((), None, None, False)
    assert found.numbers == ()


@given(st.text(max_size=40), st.sampled_from(sorted(K)))
def test_every_text_is_a_reference_or_a_link_error(text: str, kind: RecordKind) -> None:
    with contextlib.suppress(LinkError):
        found = read(text, kind)
        assert found.text == text.strip()
        assert all(one.isdecimal() for one in found.ids)


@given(st.text(st.sampled_from('12Pp#-ab (/):"@.[]'), max_size=12), st.sampled_from(sorted(K)))
def test_every_text_of_special_characters_is_a_reference(text: str, kind: RecordKind) -> None:
    found = read(text, kind)
    assert len(found.paths) <= 8
    assert found.leaf in found.text or found.scope


@given(
    st.from_regex(r"[0-9A-Za-z][0-9A-Za-z.-]{0,10}[0-9A-Za-z]|[0-9]", fullmatch=True),
    st.sampled_from(sorted(K)),
)
def test_every_number_that_is_printed_is_read_back(number: str, kind: RecordKind) -> None:
    if any(character.isdigit() for character in number):
        assert number in read(number_text(kind, number), kind).numbers
