"""Secret-bearing values of the gateway are compared in constant time: a rule over its sources.

`==` ends at the first byte that differs, so its duration reveals how much of a guess is right. The
rule forbids `==` and `!=` (and `in` a literal collection) where an operand is secret-bearing: it is
named like a secret, a MAC, a hash or a token, or the same function computed it from one. The tests
show on the sources themselves that the rule finds what it must.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import productive_contract
import productive_gateway

ROOTS = [Path(package.__path__[0]) for package in (productive_gateway, productive_contract)]
SOURCES = sorted(path for root in ROOTS for path in root.rglob("*.py"))

SECRET_NAMES = frozenset({"client", "_value"})
"""Names of secret-bearing values, beside the words below: `Grant.client`, `Secret._value`."""
SECRET_WORDS = re.compile(
    r"(?:\b|_)(binding|challenge|code|cookies?|csrf|digest|handle|hash|hashe[ds]|hexdigest|mac"
    r"|nonce|password|reveal|seal|secret|signature|tag|tokens?|verifier)(?:\b|_)"
)
PUBLIC_WORDS = re.compile(
    r"(?:\b|_)(bytes|codec|endpoint|error|expires|kind|length|max|methods?|mint|size|status|types?"
    r"|unseal|version)(?:\b|_)"
)
"""Words that make a name public again: `token_type`, `status_code`, `SECRET_BYTES`."""
PUBLIC_CALLS = frozenset({"bool", "int", "isinstance", "len", "type"})
PUBLIC_BUT_CONSTANT_TIME = frozenset({"iss.encode()"})
"""Public values that are given to `compare_digest` all the same."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def secret_name(name: str) -> bool:
    words = name.lower()
    return name in SECRET_NAMES or bool(
        SECRET_WORDS.search(words) and not PUBLIC_WORDS.search(words)
    )


def scopes(tree: ast.Module) -> Iterator[list[ast.AST]]:
    """Yield the nodes of each function with those that it encloses, and those outside of any."""
    yield list(outside_functions(tree))
    yield from (list(ast.walk(node)) for node in ast.walk(tree) if isinstance(node, Function))


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function):
            yield child
            yield from outside_functions(child)


class Secrets:
    """Which expressions of one scope are secret-bearing."""

    def __init__(self, nodes: list[ast.AST]) -> None:
        self._computed: set[str] = set()
        # A value may pass through several names, in any order: repeat until no name is added.
        while found := {name for node in nodes for name in self._assigned(node)} - self._computed:
            self._computed |= found

    def __contains__(self, node: ast.AST) -> bool:
        match node:
            case ast.Name(id=name):
                # A name in capitals is a constant of the module.
                return name in self._computed or (secret_name(name) and not name.isupper())
            case ast.Attribute(attr=name):
                return secret_name(name)
            case ast.Call(func=called, args=arguments):
                return self._returned(called, arguments)
            case ast.Subscript(value=value, slice=key):
                return secret_name(ast.unparse(key).strip("'")) or value in self
            case ast.Compare() | ast.Dict():
                return False
        return any(child in self for child in ast.iter_child_nodes(node))

    def _returned(self, called: ast.expr, arguments: list[ast.expr]) -> bool:
        """Report whether a call returns a secret-bearing value."""
        match called, arguments:
            case ast.Name(id=name), _:
                return name not in PUBLIC_CALLS and secret_name(name)
            case ast.Attribute(value=value, attr="get" | "one"), [key, *_]:
                return ast.Subscript(value, key) in self
            case ast.Attribute(value=value, attr=name), _:
                return secret_name(name) or any(one in self for one in [value, *arguments])
        return False

    def _assigned(self, node: ast.AST) -> Iterator[str]:
        """Yield the names that a secret-bearing value is assigned to."""
        pairs: list[tuple[ast.expr, ast.expr | None]] = []
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                pairs = list(zip(names, values, strict=False))
            case ast.Assign(targets=targets, value=value):
                pairs = [(target, value) for target in targets]
            case ast.AnnAssign(target, value=value) | ast.NamedExpr(target, value=value):
                pairs = [(target, value)]
            case ast.For(target, value) | ast.comprehension(target, value):
                pairs = [(target, value)]
        for target, value in pairs:
            if isinstance(target, ast.Name) and value is not None and value in self:
                yield target.id


def literal(node: ast.expr) -> bool:
    """Report whether a value is written in the source, and so is no secret."""
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.Tuple | ast.List) and all(map(literal, node.elts))
    )


def compared(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield each pair of values that an expression compares by equality."""
    if not isinstance(node, ast.Compare):
        return
    sides = [node.left, *node.comparators]
    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
        match operator, right:
            case ast.Eq() | ast.NotEq(), _:
                yield left, right
            case ast.In() | ast.NotIn(), ast.Tuple(elts=elements) | ast.List(elts=elements):
                yield from ((left, element) for element in elements)


def violations(tree: ast.Module) -> list[str]:
    """Return the comparisons of secret-bearing values that are not in constant time."""
    found = set()
    for nodes in scopes(tree):
        secrets = Secrets(nodes)
        for node in nodes:
            for pair in compared(node):
                if not any(map(literal, pair)) and any(side in secrets for side in pair):
                    found.add(f"line {node.lineno}: {ast.unparse(node)}")
    return sorted(found)


def is_compare_digest(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("compare_digest")


class ByEquality(ast.NodeTransformer):
    """Replaces the call of `compare_digest` at one place by `==`."""

    def __init__(self, line: int, column: int) -> None:
        self._place = (line, column)
        self.left = ""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not is_compare_digest(node) or (node.lineno, node.col_offset) != self._place:
            return node
        left, right = node.args
        self.left = ast.unparse(left)
        return ast.copy_location(ast.Compare(left, [ast.Eq()], [right]), node)


def compare_digests() -> Iterator[object]:
    """Yield each call of `compare_digest` in the sources: file, line and column."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and is_compare_digest(node):
                name = f"{path.stem}-{node.lineno}"
                yield pytest.param(path, node.lineno, node.col_offset, id=name)


@pytest.mark.attack("Q-03")
def test_no_secret_bearing_value_is_compared_by_equality() -> None:
    found = {str(path): violations(ast.parse(path.read_text())) for path in SOURCES}
    assert {path: places for path, places in found.items() if places} == {}


@pytest.mark.attack("Q-03")
@pytest.mark.parametrize(("path", "line", "column"), list(compare_digests()))
def test_rule_finds_equality_in_place_of_compare_digest(path: Path, line: int, column: int) -> None:
    edit = ByEquality(line, column)
    found = violations(edit.visit(ast.parse(path.read_text())))
    assert edit.left
    seen = any(place.startswith(f"line {line}: ") for place in found)
    assert seen or edit.left in PUBLIC_BUT_CONSTANT_TIME


@pytest.mark.attack("Q-03")
@pytest.mark.parametrize(
    "source",
    [
        "def f(form, grant): return form.one('code') == grant.stored",
        "def f(claims, expected): return claims.get('nonce') != expected",
        "def f(own, sent): return own.reveal() == sent",
        "def f(key, text, sent): return hmac.new(key, text, 'sha256').digest() == sent",
        "def f(claim, kept):\n a = hash_of(claim)\n b = a.hex()\n return kept == b",
        "def f(sent, cookies): return [one for one in cookies if one == sent]",
        "def f(data, sent): return (tag := data[_TAG]) is not None and sent == tag",
        "def f(token, one, other): return token in (one, other)",
        "async def f(store, sent): return (await store.secret()) == sent",
        "class A:\n def f(self, sent): return self._binding != sent",
    ],
)
def test_rule_finds_secret_bearing_values_by_name_and_through_other_names(source: str) -> None:
    assert len(violations(ast.parse(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def f(secret): return len(secret) == 32",
        "def f(form): return form.one('code_challenge_method') != 'S256'",
        "def f(answer): return answer.status_code == answer.wanted",
        "def f(token): return token is None or token == ''",
        "def f(names): return [name for name in names if name != _MAC]",
        "def f(claims, expected): return claims.get('iss') != expected.issuer",
    ],
)
def test_rule_permits_lengths_literals_and_public_values(source: str) -> None:
    assert violations(ast.parse(source)) == []
