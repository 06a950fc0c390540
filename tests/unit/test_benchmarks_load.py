"""What the load test sends, and what it concludes."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from benchmarks.load.client import Reply, parse_head, post
from benchmarks.load.hostile import accepted, attacks
from benchmarks.load.report import as_json, markdown
from benchmarks.load.verdict import CLOSED, REFUSED, SERVED, Loaded, Phase, failures, outcome


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
    assert {name.split()[0] for name in sent} == {"L-09", "L-11"}
    assert all(b"mcp.example" in request for request in sent.values())


def test_attack_may_be_refused_or_cut_and_nothing_else() -> None:
    answers = Counter({("a", 400): 3, ("a", 503): 1, ("b", 0): 2, ("c", 200): 1, ("d", 500): 1})
    assert accepted(answers) == ["c: 200", "d: 500"]


def test_load_that_was_borne_has_no_failures() -> None:
    assert failures(good()) == []
    report = markdown(good())
    assert "| twice | 400 | 800 | 450 | 0.90 | 20 | 30 | 7 | 1 | 5 | 120 | 650 |" in report
    assert "| L-09 gzip | 3 \N{MULTIPLICATION SIGN} 415 |" in report
    assert json.loads(json.dumps(as_json(good())))["attacks"] == {"L-09 gzip: 415": 3}


def test_each_broken_promise_is_a_failure() -> None:
    found = good()
    found.alive = False
    found.accepted = ["L-11 bare LF: 200"]
    found.recovery_seconds = 11.0
    found.descriptors_after = 51
    phase = found.phases[0]
    phase.outcomes["500"] = 2
    phase.latencies = [11.0]
    phase.most_bytes = 300_000_000
    phase.most_descriptors = 2000
    found.phases.append(Phase("idle", 1, 0.0, 1.0))
    said = "\n".join(failures(found))
    for part in (
        "the gateway ended",
        "twice: 2 answers were 500",
        "up to 11.0 s",
        "grew to 300 MB",
        "2000 descriptors",
        "idle: nobody was served",
        "an attack was accepted: L-11 bare LF: 200",
        "51 descriptors stayed open",
        "recovered after 11.0 s only",
    ):
        assert part in said


def good() -> Loaded:
    outcomes = Counter({SERVED: 4500, REFUSED: 7, CLOSED: 1})
    phase = Phase("twice", 400, 800.0, 10.0, outcomes, [0.02, 0.03], 5, 120_000_000, 650, 4.05)
    return Loaded(100_000_000, 30, [phase], Counter({("L-09 gzip", 415): 3}), [], 0.5, 31)
