"""What the load test sends, and what it concludes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from benchmarks.grants.population import Held
from benchmarks.load.client import Reply, parse_head, post, read_body
from benchmarks.load.hostile import MOST_BODY, accepted, attacks, large_call
from benchmarks.load.mix import READ, REFRESH, TURN, Assistant, Sent
from benchmarks.load.report import as_json, markdown
from benchmarks.load.verdict import (
    CLOSED,
    REFUSED,
    SERVED,
    SPARE_DESCRIPTORS,
    Loaded,
    Phase,
    bearable,
    failures,
    outcome,
)

from productive_gateway.grants.service import Tokens
from productive_gateway.web.json_bounds import has_too_many_values


def test_head_of_an_answer_is_read() -> None:
    head = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\ncontent-length: 12\r\n\r\n"
    assert parse_head(head) == (503, {"retry-after": "5", "content-length": "12"})


def test_request_says_how_long_its_body_is() -> None:
    sent = post("mcp.example", b"{}", "Accept: x\r\n")
    assert sent.startswith(b"POST /mcp HTTP/1.1\r\nHost: mcp.example\r\n")
    assert sent.endswith(b"Accept: x\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (Reply(200, retry_after=False), SERVED),
        (Reply(503, retry_after=True), REFUSED),
        (Reply(429, retry_after=True), REFUSED),
        (Reply(503, retry_after=False), "503"),
        (Reply(401, retry_after=True), "401"),
    ],
)
def test_refusal_is_good_only_if_it_says_when_to_try_again(reply: Reply, seen: str) -> None:
    assert outcome(reply) == seen


def test_attacks_are_those_on_size_and_framing() -> None:
    sent = attacks("mcp.example", "token")
    assert {name.split()[0] for name in sent} == {"L-09", "L-11", "token"}
    assert all(b"mcp.example" in request for request in sent.values())


def test_attack_may_be_refused_or_cut_and_nothing_else() -> None:
    answers = Counter({("a", 400): 3, ("a", 503): 1, ("b", 0): 2, ("c", 200): 1, ("d", 500): 1})
    assert accepted(answers) == ["c: 200", "d: 500"]


def test_load_that_was_borne_has_no_failures() -> None:
    assert failures(good()) == []
    report = markdown(good())
    row = "| twice | 400 | 800 | 450 | 0.90 | 20 | 30 | 7 | 4 | 0 | 5 | 1000 | 2 | 120 | 650 |"
    assert row in report
    assert "| tools/list, twice | 2 | 20 | 30 |" in report
    assert "| L-09 gzip | 3 \N{MULTIPLICATION SIGN} 415 |" in report
    assert json.loads(json.dumps(as_json(good())))["attacks"] == {"L-09 gzip: 415": 3}


def test_each_broken_promise_is_a_failure() -> None:
    found = good()
    found.alive = False
    found.accepted = ["L-11 bare LF: 200"]
    found.recovery_seconds = 11.0
    found.descriptors_after = 30 + SPARE_DESCRIPTORS + 1
    phase = found.phases[0]
    phase.outcomes["500"] = 2
    phase.outcomes[CLOSED] = 1
    phase.latencies = {"tools/list": [11.0]}
    phase.refusals = [12.0]
    phase.probes = [6.0]
    phase.most_bytes = 500_000_000
    phase.most_descriptors = 2000
    found.phases.append(Phase("idle", 1, 0.0, 1.0))
    said = "\n".join(failures(found))
    for part in (
        "the gateway ended",
        "twice: 2 answers were 500",
        "twice: 1 connections were closed",
        "99 of 100 answers took up to 11.0 s",
        "99 of 100 refusals took up to 12.0 s",
        "whether it lives was answered after 6.0 s",
        "grew to 500 MB",
        "2000 descriptors",
        "idle: nobody was served",
        "0 of the 450 requests a second that it bears were served",
        "an attack was accepted: L-11 bare LF: 200",
        f"{found.descriptors_after} descriptors stayed open",
        "recovered after 11.0 s only",
    ):
        assert part in said


def test_refusals_are_a_failure_below_the_bearable_rate_and_their_lack_is_one_above() -> None:
    found = good()
    phase = found.phases[0]
    phase.may_refuse = False
    phase.outcomes[REFUSED] = 450
    assert failures(found) == ["twice: 9.1% of the requests were refused"]
    phase.may_refuse = True
    assert failures(found) == []
    phase.outcomes[REFUSED] = 0
    assert "nobody was refused" in failures(found)[0]


def test_rate_is_bearable_if_it_is_kept_up_fast_and_without_refusals() -> None:
    phase = Phase("a try", 200, 450.0, 10.0, Counter({SERVED: 4500}), {"tools/list": [0.1]})
    assert bearable(phase)
    phase.outcomes[REFUSED] = 100
    assert not bearable(phase)
    phase.outcomes[REFUSED] = 0
    phase.latencies["refresh"] = [3.0]
    assert not bearable(phase)
    phase.latencies = {"tools/list": [0.1]}
    phase.wanted = 500.0
    assert not bearable(phase)


async def test_body_is_read_by_its_length_or_in_chunks() -> None:
    for sent, headers in (
        (b"hello", {"content-length": "5"}),
        (b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", {"transfer-encoding": "chunked"}),
    ):
        reader = asyncio.StreamReader()
        reader.feed_data(sent + b"HTTP/1.1")
        assert await read_body(reader, headers) == b"hello"
        assert await reader.readexactly(8) == b"HTTP/1.1"


def test_assistant_sends_all_kinds_in_turn_and_uses_what_a_refresh_gave() -> None:
    held = Held("ana@northlight.example", Tokens("at-1", "rt-1", 60, frozenset()))
    one = Assistant(1, "mcp.example", "client", held)
    sent = [one.next() for _ in range(20)]
    assert Counter(each.kind for each in sent) == TURN
    assert all(b"Bearer at-1\r\n" in each.request for each in sent if each.kind != REFRESH)
    (refresh,) = (each for each in sent if each.kind == REFRESH)
    assert refresh.request.endswith(b"refresh_token=rt-1")
    body = json.dumps({"access_token": "at-2", "refresh_token": "rt-2"}).encode()
    assert one.take(refresh, Reply(200, retry_after=False, body=body)) is None
    assert held.tokens.refresh_token == "rt-2"
    assert any(b"Bearer at-2\r\n" in one.next().request for _ in range(5))


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b'{"result":{"isError":false}}', None),
        (
            b'{"result":{"isError":true,"x":{"error":{"message":"a","code":"too_late"}}}}',
            "tool error 'too_late'",
        ),
        (b'{"error":{}}', "no result: b'{\"error\":{}}'"),
    ],
)
def test_error_inside_of_an_answer_is_seen(body: bytes, wrong: str | None) -> None:
    held = Held("ana@northlight.example", Tokens("at-1", "rt-1", 60, frozenset()))
    one = Assistant(1, "mcp.example", "client", held)
    sent = Sent(READ, b"")
    assert one.take(sent, Reply(200, retry_after=False, body=body)) == wrong
    assert one.take(sent, Reply(503, retry_after=True, body=body)) is None


def test_large_call_is_as_large_as_is_allowed_and_has_as_many_values() -> None:
    _, _, body = large_call("mcp.example", "token").partition(b"\r\n\r\n")
    assert MOST_BODY * 0.9 < len(body) <= MOST_BODY
    assert not has_too_many_values(body)
    assert json.loads(body)["params"]["name"] == "get_me"


def good() -> Loaded:
    outcomes = Counter({SERVED: 4500, REFUSED: 7})
    phase = Phase(
        "twice",
        400,
        800.0,
        10.0,
        outcomes,
        {"tools/list": [0.02, 0.03]},
        [0.004],
        5,
        120_000_000,
        650,
        4.05,
        [0.002],
        waits=[1.0],
    )
    return Loaded(100_000_000, 30, [phase], Counter({("L-09 gzip", 415): 3}), [], 0.5, 31)
