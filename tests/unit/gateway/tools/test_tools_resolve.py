from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.resolve import (
    MOST_CANDIDATES,
    Match,
    NoMatch,
    Option,
    Reference,
    WrongLink,
    match,
    normalized,
    parse_reference,
    score,
)

PROJECTS = (
    Option("30201", "Website relaunch"),
    Option("30202", "Website care"),
    Option("30203", "Mobile app"),
    Option("30204", "Internal"),
    Option("30205", "Company website"),
)

names = st.text(st.sampled_from("abcČč öß-1 2"), min_size=1, max_size=12)
option_lists = st.lists(names, max_size=8).map(
    lambda found: [Option(str(number), name) for number, name in enumerate(found, start=1)]
)


def named(text: str, options: Sequence[Option] = PROJECTS) -> Match | NoMatch:
    return match(Reference(text, name=text), options)


@pytest.mark.parametrize(
    ("text", "project", "how"),
    [
        ("Website relaunch", "30201", "exact name"),
        ("website-RELAUNCH!", "30201", "exact name"),
        ("relaunch", "30201", "unique word match"),
        ("relaunch website", "30201", "unique word match"),
        ("mob", "30203", "unique beginning"),
        ("internal", "30204", "exact name"),
    ],
)
def test_name_that_fits_one_option_matches_it(text: str, project: str, how: str) -> None:
    found = named(text)
    assert isinstance(found, Match)
    assert (found.option.id, found.how) == (project, how)


def test_name_that_fits_two_options_is_ambiguous() -> None:
    found = named("website")
    assert isinstance(found, NoMatch)
    assert found.ambiguous
    assert {option.id for option in found.nearest} == {"30201", "30202", "30205"}


def test_full_name_wins_over_a_longer_one() -> None:
    found = named("Care", (Option("1", "Care"), Option("2", "Care retainer")))
    assert isinstance(found, Match)
    assert found.option.id == "1"


def test_two_options_of_the_same_name_are_ambiguous() -> None:
    found = named("Design", (Option("1", "Design", "Phase 1"), Option("2", "Design", "Phase 2")))
    assert isinstance(found, NoMatch)
    assert found.ambiguous


def test_exact_spelling_decides_between_names_that_differ_in_accents() -> None:
    options = (Option("1", "Luka"), Option("2", "Lúka"))
    found = named("Lúka", options)
    assert isinstance(found, Match)
    assert found.option.id == "2"
    unclear = named("LUKA", options)
    assert isinstance(unclear, NoMatch)
    assert unclear.ambiguous


def test_similar_name_is_offered_but_not_chosen() -> None:
    found = named("Acme 2026", (Option("1", "Acme 2025"), *PROJECTS))
    assert isinstance(found, NoMatch)
    assert not found.ambiguous
    assert [option.id for option in found.nearest] == ["1"]


def test_few_options_are_all_offered() -> None:
    found = named("xyz", PROJECTS)
    assert isinstance(found, NoMatch)
    assert len(found.nearest) == len(PROJECTS)


def test_number_is_an_id_before_it_is_a_name() -> None:
    options = (Option("2026", "Old"), Option("7", "2026"))
    found = match(parse_reference("2026", "project"), options)
    assert isinstance(found, Match)
    assert found.option.name == "Old"
    by_name = match(parse_reference("2026", "project"), options[1:])
    assert isinstance(by_name, Match)
    assert by_name.option.id == "7"


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("30201", "project", Reference("30201", id="30201")),
        (" relaunch ", "project", Reference("relaunch", name="relaunch")),
        ("#87", "task", Reference("#87", number="87")),
        ("#87", "project", Reference("#87", name="#87")),
        (
            "https://app.productive.io/1200-nls/tasks/20510087",
            "task",
            Reference("https://app.productive.io/1200-nls/tasks/20510087", id="20510087"),
        ),
        (
            "https://app.productive.io/1200-nls/tasks/task/20510087?board=1",
            "task",
            Reference(
                "https://app.productive.io/1200-nls/tasks/task/20510087?board=1", id="20510087"
            ),
        ),
    ],
)
def test_references_are_classified_by_their_form(text: str, kind: str, expected: Reference) -> None:
    assert parse_reference(text, kind) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "link", ["https://app.productive.io/1-x/people/5", "https://x", "http://x/tasks/abc"]
)
def test_link_to_something_else_is_refused(link: str) -> None:
    with pytest.raises(WrongLink):
        parse_reference(link, "task")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Č-đ ß!", "c d ss"),
        ("  A  b ", "a b"),
        ("Übersetzen 🌍", "ubersetzen"),
        ("---", ""),
        ("ᴬcme", "acme"),
    ],
)
def test_names_are_compared_without_case_accents_and_punctuation(text: str, plain: str) -> None:
    assert normalized(text) == plain


@given(st.text(max_size=20))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    assert normalized(normalized(text)) == normalized(text)


@given(names, names)
def test_score_is_between_zero_and_exact(wanted: str, name: str) -> None:
    assert 0 <= score(wanted, name) <= 1
    assert score(name, name) == 1


@given(names, option_lists)
def test_match_is_one_of_the_options_and_candidates_are_few(
    text: str, options: list[Option]
) -> None:
    found = named(text, options)
    if isinstance(found, Match):
        assert found.option in options
    else:
        assert len(found.nearest) <= MOST_CANDIDATES
        assert set(found.nearest) <= set(options)


@given(names, option_lists, st.randoms(use_true_random=False))
def test_order_of_the_options_is_irrelevant(
    text: str, options: list[Option], dice: random.Random
) -> None:
    before = named(text, options)
    shuffled = list(options)
    dice.shuffle(shuffled)
    after = named(text, shuffled)
    assert isinstance(before, Match) == isinstance(after, Match)
    if isinstance(before, Match):
        assert before == after


@given(names, option_lists)
def test_option_and_its_namesake_are_ambiguous(text: str, options: list[Option]) -> None:
    found = named(text, options)
    if isinstance(found, Match):
        twin = Option("twin", found.option.name)
        assert isinstance(named(text, [*options, twin]), NoMatch)


@given(option_lists.filter(bool))
def test_full_name_finds_its_option_or_is_ambiguous(options: list[Option]) -> None:
    wanted = options[0]
    found = named(wanted.name, options)
    shared = [option for option in options if option.name == wanted.name]
    if len(shared) == 1:
        assert isinstance(found, Match)
        assert found.option == wanted
    else:
        assert isinstance(found, NoMatch)
