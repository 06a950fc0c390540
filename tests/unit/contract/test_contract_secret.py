from __future__ import annotations

import pickle

import pytest

from productive_contract.secret import Secret

HIDDEN = Secret("token-of-ana")


def test_a_secret_is_never_printed() -> None:
    for text in (
        str(HIDDEN),
        repr(HIDDEN),
        f"{HIDDEN}",
        f"{HIDDEN:>40}",
        ascii(HIDDEN),
    ):
        assert "token" not in text
    assert HIDDEN.reveal() == "token-of-ana"


def test_secrets_compare_by_value_with_secrets_only() -> None:
    assert Secret("token-of-ana") == HIDDEN
    assert Secret("other") != HIDDEN
    assert HIDDEN != "token-of-ana"


def test_a_secret_is_neither_hashable_nor_picklable() -> None:
    with pytest.raises(TypeError):
        hash(HIDDEN)
    with pytest.raises(TypeError):
        pickle.dumps(HIDDEN)


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert HIDDEN
