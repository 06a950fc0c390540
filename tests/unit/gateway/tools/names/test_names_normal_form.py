from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.names.normal_form import (
    EXACT,
    PREFIX,
    SAME_WORDS,
    SIMILAR,
    WORDS,
    fit,
    likeness,
    longest_word,
    normal_form,
    normalized,
)

names = st.text(st.sampled_from("abcČč öß-1 2"), min_size=1, max_size=12)


def fits(wanted: str, name: str) -> int:
    return fit(normal_form(wanted), normal_form(name))


def like(wanted: str, name: str) -> int:
    [points] = likeness(normal_form(wanted), [normal_form(name)])
    return points


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Č-đ ß!", "c d ss"),
        ("  A  b ", "a b"),
        ("Übersetzen 🌍", "ubersetzen"),
        ("---", ""),
        ("ᴬcme", "acme"),
        ("web\u200bsite \u202erelaunch\u00ad", "website relaunch"),
        ("Α\u0345 \u115f\u3164x", "α x"),  # noqa: RUF001  # Greek
        ("two\nlines\x00here", "two lines here"),
    ],
)
def test_names_are_compared_without_case_accents_and_punctuation(text: str, plain: str) -> None:
    assert normalized(text) == plain


@given(st.text(max_size=20))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    assert normalized(normalized(text)) == normalized(text)


@given(names, st.sampled_from(["upper", "title", "swapcase"]), st.sampled_from(".,!?:-/ "))
def test_case_accents_and_punctuation_are_irrelevant(text: str, case: str, mark: str) -> None:
    changed = unicodedata.normalize("NFD", getattr(text, case)()).replace("\u030c", "")
    assert normalized(changed.replace(" ", f"{mark} ") + mark) == normalized(text)


@pytest.mark.parametrize(
    ("wanted", "name", "points"),
    [
        ("homepage wireframes", "Homepage wireframes", EXACT),
        ("wireframes homepage", "Homepage wireframes", SAME_WORDS),
        ("homep", "Homepage wireframes", PREFIX),
        ("homepage wire", "Homepage wireframes", PREFIX),
        ("wire home", "Homepage wireframes", WORDS),
        ("wireframes", "Homepage wireframes", WORDS),
        ("page", "Homepage wireframes", 0),
        ("homepage designs", "Homepage wireframes", 0),
        ("!", "!", 0),
    ],
)
def test_exact_beats_prefix_beats_all_words(wanted: str, name: str, points: int) -> None:
    assert fits(wanted, name) == points


@given(names, names)
def test_name_fits_itself_exactly_and_everything_else_is_graded(wanted: str, name: str) -> None:
    assert fits(wanted, name) in {0, WORDS, PREFIX, SAME_WORDS, EXACT}
    assert 0 <= like(wanted, name) < WORDS
    if normalized(name):
        assert fits(name, name) == EXACT


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("Acme 2026", "Acme 2025"),
        ("Websight relaunch", "Website relaunch"),
        ("the website relaunch project", "Website relaunch"),
    ],
)
def test_similar_name_is_worth_offering(wanted: str, name: str) -> None:
    assert like(wanted, name) >= SIMILAR
    assert fits(wanted, name) == 0


def test_unlike_name_is_not_worth_offering() -> None:
    assert like("Bakery shop", "Mobile app") < SIMILAR
    assert like("!", "Mobile app") == 0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("the homepage wireframes", "wireframes"),
        ("Übersetzung der Startseite.", "Übersetzung"),
        ("2026 report", "report"),
        ("wireframes", None),
        ("a b", None),
        ("2025 2026", None),
        ("", None),
    ],
)
def test_longest_word_is_what_a_second_search_looks_for(text: str, word: str | None) -> None:
    assert longest_word(text) == word
