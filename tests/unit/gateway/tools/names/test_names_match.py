from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.link import LINKED, link_to
from productive_gateway.tools.names.match import (
    MOST_CANDIDATES,
    Inactive,
    Match,
    NoMatch,
    candidates,
    match,
)
from productive_gateway.tools.names.normal_form import normalized
from productive_gateway.tools.names.options import Option, Options, Place
from productive_gateway.tools.names.reference import number_text, parse_reference

K = RecordKind
BLUE = Place("Blue Harbor GmbH", "7001")
NORTH = Place("Northlight Studio", "7009")


def project(record_id: str, name: str, **more: object) -> Option:
    return replace(Option(K.PROJECT, record_id, name), **more)  # type: ignore[arg-type]


PROJECTS = (
    project("30201", "Website relaunch", number="14", within=(BLUE,)),
    project("30202", "Website care", number="15", within=(BLUE,)),
    project("30203", "Mobile app", number="17"),
    project("30204", "Internal", number="1", within=(NORTH,)),
    project("30205", "Company website", number="3", within=(NORTH,)),
)
TASKS = (
    Option(K.TASK, "20510087", "Homepage wireframes", "87", (Place("Website relaunch", "30201"),)),
    Option(K.TASK, "20510112", "Monthly report", "12", (Place("Website care", "30202"),)),
    Option(K.TASK, "20510212", "Onboarding screens", "12", (Place("Mobile app", "30203"),)),
)
PEOPLE = (
    Option(K.PERSON, "9104", "Ana Kovač", email="ana.kovac@northlight.example"),
    Option(K.PERSON, "9108", "Ana Horvat", email="ana.horvat@northlight.example"),
    Option(K.PERSON, "9105", "Marko Novak", inactive="deactivated"),
)

names = st.text(st.sampled_from("abcČč öß-1 2"), min_size=1, max_size=12)
wild_names = st.one_of(names, st.text(max_size=30), st.from_regex(r"[Aa ]{0,3}\([12]\)[:/ab]{0,3}"))
option_lists = st.lists(names, max_size=8).map(
    lambda found: [project(str(number), name) for number, name in enumerate(found, start=1)]
)
states = st.sampled_from([None, None, "archived"])


@st.composite
def worlds(draw: st.DrawFn, spelled: st.SearchStrategy[str] = wild_names) -> list[Option]:
    """Projects with names, numbers and companies of all sorts; only the ids differ for sure."""
    places = st.lists(st.builds(Place, spelled, st.sampled_from(["1", "2"])), max_size=2)
    made = st.builds(
        project,
        st.integers(1, 99).map(str),
        spelled,
        number=st.one_of(st.none(), st.sampled_from(["1", "2", "9-abc", "P-1"])),
        within=places.map(tuple),
        inactive=states,
    )
    return draw(st.lists(made, min_size=1, max_size=8, unique_by=lambda option: option.id))


def found_by(
    text: str, options: Sequence[Option] = PROJECTS, kind: RecordKind = K.PROJECT, **more: object
) -> Match | Inactive | NoMatch:
    reference = parse_reference(text, kind, organization="1200")
    return match(reference, Options(options), **more)  # type: ignore[arg-type]


def cut(name: str) -> str:
    """Return a name as answers print it: on one line, without invisible characters, shortened."""
    kept = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in name)
    line = " ".join(kept.split())
    return line if len(line) <= 12 else line[:11] + "…"


@pytest.mark.parametrize(
    ("text", "expected", "how"),
    [
        ("Website relaunch", "30201", "exact name"),
        ("website-RELAUNCH!", "30201", "exact name"),
        ("“Website relaunch”.", "30201", "exact name"),
        ("relaunch", "30201", "unique word match"),
        ("relaunch website", "30201", "same words in another order"),
        ("mob", "30203", "unique beginning"),
        ("internal", "30204", "exact name"),
        ("30201", "30201", "id"),
        ("14", "30201", "project number"),
        ("P-14", "30201", "project number"),
        ("#14", "30201", "project number"),
        ("Website relaunch (30201)", "30201", "id"),
        ("Website relaunch (30201): P-14, Blue Harbor GmbH", "30201", "id"),
        ("relaunch (30201)", "30201", "id"),
        ("Blue Harbor / Website relaunch (30201)", "30201", "id"),
        ("(30201)", "30201", "id"),
        ("Blue Harbor / relaunch", "30201", "unique word match"),
        ("Northlight / website", "30205", "unique word match"),
        ("Blue Harbor GmbH (7001) / Website care", "30202", "exact name"),
        ("https://app.productive.io/1200-nls/projects/30201/tasks?board=1", "30201", "link"),
    ],
)
def test_reference_that_fits_one_project_matches_it(text: str, expected: str, how: str) -> None:
    found = found_by(text)
    assert isinstance(found, Match)
    assert (found.option.id, found.how, found.contradicted) == (expected, how, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#87", "20510087"),
        ("87", "20510087"),
        ("#87 Homepage wireframes", "20510087"),
        ("Homepage wireframes (#87)", "20510087"),
        ("wireframes homepage", "20510087"),
        ("#12 Monthly report", "20510112"),
        ("Mobile app / #12 Onboarding screens", None),
        ("Mobile app / Onboarding", "20510212"),
        ("Mobile app (30203) / Onboarding", "20510212"),
        ("Website relaunch (30201) / Onboarding", None),
        ("#12", None),
        ("12", None),
    ],
)
def test_reference_to_a_task(text: str, expected: str | None) -> None:
    found = found_by(text, TASKS, K.TASK)
    assert (found.option.id if isinstance(found, Match) else None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("me", "9104"),
        ("@Ana Kovač (9104)", "9104"),
        ("Kovac Ana", "9104"),
        ("ANA.KOVAC@northlight.example", "9104"),
        ("Ana", None),
        ("ana@elsewhere.example", None),
    ],
)
def test_reference_to_a_person(text: str, expected: str | None) -> None:
    found = found_by(text, PEOPLE, K.PERSON, me="9104")
    assert (found.option.id if isinstance(found, Match) else None) == expected


def test_slash_may_belong_to_a_name() -> None:
    inside = (Place("R/D, Zagreb"), Place("Q1 / Q2"))
    options = (project("1", "UX / UI", within=inside), project("2", "UI"), project("3", "UX"))
    for text in ("UX / UI", "ux/ui", "R/D / UX/UI", "R/D, Zagreb / Q1 / Q2 / UX / UI"):
        found = found_by(text, options)
        assert isinstance(found, Match)
        assert (found.option.id, found.how) == ("1", "exact name")


def test_record_that_two_pages_held_is_one_option() -> None:
    old, new = project("1", "Care", number="1"), project("1", "Care plus", number="1")
    for text in ("1", "#1", "care", "Care (1)"):
        found = found_by(text, (old, new))
        assert isinstance(found, Match)
        assert found.option == new


def test_nobody_is_me_without_an_id() -> None:
    assert found_by("me", PEOPLE, K.PERSON) == NoMatch((), ambiguous=False)


def test_name_that_fits_two_options_is_ambiguous() -> None:
    found = found_by("website")
    assert isinstance(found, NoMatch)
    assert found.ambiguous
    assert {option.id for option in found.nearest} == {"30201", "30202", "30205"}


def test_full_name_wins_over_a_longer_one() -> None:
    found = found_by("Care", (project("1", "Care"), project("2", "Care retainer")))
    assert isinstance(found, Match)
    assert found.option.id == "1"


def test_two_options_of_the_same_name_are_ambiguous_and_told_apart() -> None:
    twins = (
        project("1", "Rebrand", number="18", within=(Place("Alpine Rail AG"),)),
        project("2", "Rebrand", number="1-2025-2", within=(Place("Nordic Foods Oy"),)),
    )
    found = found_by("rebrand", twins)
    assert isinstance(found, NoMatch)
    assert found.ambiguous
    assert [f"{one.label}: {one.context}" for one in found.nearest] == [
        "Rebrand (1): P-18, Alpine Rail AG",
        "Rebrand (2): 1-2025-2, Nordic Foods Oy",
    ]


def test_exact_spelling_decides_between_names_that_differ_in_accents() -> None:
    options = (project("1", "Luka"), project("2", "Lúka"))
    found = found_by("Lúka", options)
    assert isinstance(found, Match)
    assert found.option.id == "2"
    unclear = found_by("LUKA", options)
    assert isinstance(unclear, NoMatch)
    assert unclear.ambiguous


@pytest.mark.parametrize("text", ["Acme 2026", "Acme 2026 (99)"])
def test_similar_name_is_offered_but_not_chosen(text: str) -> None:
    found = found_by(text, (project("1", "Acme 2025"), *PROJECTS))
    assert isinstance(found, NoMatch)
    assert not found.ambiguous
    assert [option.id for option in found.nearest] == ["1"]


def test_unrelated_options_are_offered_only_if_the_list_belongs_together() -> None:
    assert found_by("xyz") == NoMatch((), ambiguous=False)
    found = found_by("xyz", offer_all=True)
    assert isinstance(found, NoMatch)
    assert (len(found.nearest), found.left) == (5, 0)
    found = found_by("the care of websites", offer_all=True)
    assert isinstance(found, NoMatch)
    assert found.nearest[0].name == "Website care"


def test_five_candidates_are_shown_and_the_others_counted() -> None:
    services = [Option(K.SERVICE, str(n), f"Design {n}") for n in range(1, 15)]
    found = found_by("design", services, K.SERVICE)
    assert isinstance(found, NoMatch)
    assert [option.id for option in found.nearest] == ["1", "2", "3", "4", "5"]
    assert found.left == 9
    assert candidates(services).left == 9


def test_number_is_an_id_before_it_is_a_number_before_it_is_a_name() -> None:
    by_id = project("2026", "Old")
    numbered = project("7", "Middle", number="2026")
    named = project("8", "2026")
    for options, expected in (
        ((named, numbered, by_id), by_id),
        ((named, numbered), numbered),
        ((named,), named),
    ):
        found = found_by("2026", options)
        assert isinstance(found, Match)
        assert found.option == expected


def test_id_decides_against_the_name_beside_it_and_the_answer_says_so() -> None:
    found = found_by("Website care (30201)")
    assert isinstance(found, Match)
    assert (found.option.id, found.contradicted) == ("30201", True)
    assert found.how == "id, although its name is not the one that was given"
    elsewhere = found_by("Northlight / Website relaunch (30201)")
    assert isinstance(elsewhere, Match)
    assert elsewhere.contradicted


def test_number_in_brackets_may_belong_to_the_name() -> None:
    campaign = project("77", "Campaign (2025)")
    other = project("2025", "Other")
    for options in ((campaign,), (campaign, other)):
        found = found_by("Campaign (2025)", options)
        assert isinstance(found, Match)
        assert (found.option.id, found.contradicted) == ("77", False)
    unclear = found_by("campaign (2025)", (campaign, other))
    assert isinstance(unclear, NoMatch)
    assert unclear.ambiguous


def test_exact_name_of_an_archived_project_is_reported_as_archived() -> None:
    options = (*PROJECTS, project("30206", "Bakery shop", inactive="archived"))
    for text in ("bakery shop", "30206", "Bakery shop (30206)", "bakery"):
        found = found_by(text, options)
        assert isinstance(found, Inactive)
        assert found.option.inactive == "archived"
    assert found.option.context == "archived"


def test_active_option_goes_before_an_archived_one() -> None:
    old, new = project("1", "Care", inactive="archived"), project("2", "Care")
    found = found_by("care", (old, new))
    assert isinstance(found, Match)
    assert found.option == new
    found = found_by("car", (old, new))
    assert isinstance(found, Match)
    assert found.option == new


def test_exact_archived_name_is_never_replaced_by_a_longer_active_one() -> None:
    old, new = project("1", "Care", inactive="archived"), project("2", "Care retainer")
    found = found_by("care", (old, new))
    assert found == NoMatch((new, old), ambiguous=True)


@given(names, option_lists)
def test_match_is_one_of_the_options_and_candidates_are_few(
    text: str, options: list[Option]
) -> None:
    found = found_by(text, options)
    if isinstance(found, Match | Inactive):
        assert found.option in options
    else:
        assert len(found.nearest) <= MOST_CANDIDATES
        assert len(found.nearest) + found.left <= len(options)
        assert set(found.nearest) <= set(options)
        assert not found.left or len(found.nearest) == MOST_CANDIDATES


@given(wild_names, worlds(), st.randoms(use_true_random=False))
def test_order_of_the_options_is_irrelevant(
    text: str, options: list[Option], dice: random.Random
) -> None:
    assume("://" not in text)
    shuffled = list(options)
    dice.shuffle(shuffled)
    assert found_by(text, options) == found_by(text, shuffled)


@given(names, option_lists)
def test_option_and_its_namesake_are_ambiguous(text: str, options: list[Option]) -> None:
    found = found_by(text, options)
    if isinstance(found, Match) and found.how not in {"id", "project number"}:
        twin = project("900", found.option.name)
        assert isinstance(found_by(text, [*options, twin]), NoMatch)


@given(option_lists.filter(bool))
def test_full_name_finds_its_option_or_is_ambiguous(options: list[Option]) -> None:
    wanted = options[0]
    assume(not any(option.id == wanted.name.strip() for option in options))
    assume(wanted.name == wanted.name.strip())
    found = found_by(wanted.name, options)
    shared = [option for option in options if option.name == wanted.name]
    if len(shared) == 1:
        assert isinstance(found, Match)
        assert found.option == wanted
    else:
        assert isinstance(found, NoMatch)


@given(names, option_lists)
def test_exact_name_beats_every_other(text: str, options: list[Option]) -> None:
    found = found_by(text, options)
    exact = [one for one in options if normalized(one.name) == normalized(text) != ""]
    if exact and isinstance(found, Match) and found.how != "id":
        assert found.option in exact
    if isinstance(found, NoMatch) and exact:
        assert found.ambiguous
        assert set(found.nearest) <= set(exact)


@given(names, option_lists, st.sampled_from([str.upper, str.title, str.swapcase]))
def test_case_and_punctuation_of_the_reference_are_irrelevant(
    text: str, options: list[Option], change: object
) -> None:
    folded = [replace(one, name=normalized(one.name)) for one in options]
    assume(len({one.name for one in folded}) == len(folded))
    changed = change(text) + "!"  # type: ignore[operator]
    one, other = found_by(text, folded), found_by(changed, folded)
    assume(not isinstance(one, Match) or one.how != "id")
    assert one == other


@example([project("1", "A://")])
@given(worlds())
def test_every_candidate_that_is_printed_is_accepted(options: list[Option]) -> None:
    for wanted in options:
        for shown in (wanted.label, f"{cut(wanted.name)} ({wanted.id})", f"- {wanted.label}."):
            found = found_by(shown, options)
            assert isinstance(found, Match | Inactive)
            assert (found.option, found.contradicted) == (wanted, False)
        if wanted.kind in LINKED:
            found = found_by(link_to(wanted.kind, wanted.id, "1200"), options)
            assert isinstance(found, Match | Inactive)
            assert found.option == wanted


@given(worlds(st.text(st.sampled_from("abcčd "), min_size=1, max_size=8).filter(str.strip)))
def test_candidate_with_its_context_is_accepted(options: list[Option]) -> None:
    for wanted in options:
        found = found_by(f"{wanted.label}: {wanted.context or 'no company'}", options)
        assert isinstance(found, Match | Inactive)
        assert (found.option, found.contradicted) == (wanted, False)


@given(worlds())
def test_number_that_is_printed_gives_its_option_or_asks(options: list[Option]) -> None:
    for wanted in options:
        if wanted.number is None:
            continue
        found = found_by(number_text(wanted.kind, wanted.number), options)
        same = [one for one in options if one.number == wanted.number and not one.inactive]
        if isinstance(found, NoMatch):
            assert found.ambiguous
        elif found.how == "project number" and not wanted.inactive:
            assert found.option in same


@given(worlds())
def test_path_that_is_printed_gives_its_option_or_asks(options: list[Option]) -> None:
    for wanted in options:
        levels = [*(place.name for place in wanted.within), wanted.name]
        shown = " / ".join(levels)
        if "://" in shown or not all(normalized(level) for level in levels):
            continue
        found = found_by(shown, options)
        if isinstance(found, NoMatch):
            assert found.ambiguous
        elif found.how == "exact name":
            assert normalized(found.option.name) in normalized(shown)


@given(wild_names, worlds())
def test_two_that_fit_equally_well_are_never_chosen_between(
    text: str, options: list[Option]
) -> None:
    assume("://" not in text)
    found = found_by(text, options)
    if isinstance(found, Match | Inactive) and "id" not in found.how:
        double = replace(found.option, id="100")
        again = found_by(text, [*options, double])
        assert isinstance(again, NoMatch)
        assert again.ambiguous
        assert {found.option, double} <= set(again.nearest)
