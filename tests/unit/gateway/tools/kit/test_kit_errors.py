from __future__ import annotations

import pytest

from productive_gateway.productive.wire import errors as api
from productive_gateway.tools.kit.errors import Candidate, Explainer, Problem

EXPLAIN = Explainer("it@example.test").explain

ORGANIZATION = api.Limit.ORGANIZATION


def refused(
    code: str = "", detail: str = "", field: str = "", about: str = "time_entries"
) -> api.Refused:
    error = api.Refused(api.Problem(code=code, detail=detail, field=field))
    error.about = about
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (api.TokenRejected(), "token_rejected"),
        (api.WrongOrganization(), "wrong_organization"),
        (api.WrongTokenOwner(None), "wrong_token_owner"),
        (api.WrongTokenOwner("9104"), "wrong_token_owner"),
        (api.Forbidden(), "forbidden"),
        (api.SubscriptionEnded(), "forbidden"),
        (api.NotFound(), "not_found"),
        (api.FeatureOff(), "feature_off"),
        (api.Conflict(), "conflict"),
        (api.RateLimited(3.2), "rate_limited"),
        (api.Unreachable(), "upstream_error"),
        (api.StateUnknown(), "timeout"),
        (refused("entitlements_required", field="event"), "needs_allowance"),
        (refused("required_custom_field", field="3311"), "missing_custom_field"),
        (refused("invalid_attribute_value", "person cannot track …", "person"), "cannot_track"),
        (refused("invalid_attribute_value", "note is mandatory", "note"), "policy_violation"),
        (refused("invalid_attribute_value", "not in the future", "date"), "policy_violation"),
        (refused("other", "a rule"), "policy_violation"),
        (refused("invalid_attribute_value", "is invalid", "time"), "invalid_value"),
        (refused("unsupported_filter"), "upstream_error"),
        (refused("no_cost_rate", "person must have a salary", "person"), "no_cost_rate"),
        (refused("timesheet_submitted", "has already been submitted", "date"), "day_submitted"),
        (refused("locked_period", "is in a locked period", "date"), "period_locked"),
        (refused("invalid_attribute_value", "is mandatory", "note", "tasks"), "invalid_value"),
        (refused("invalid_attribute_value", "cannot track", "person", "tasks"), "invalid_value"),
        (api.NotSimulated(), "not_simulated"),
    ],
)
def test_each_error_has_a_code_and_a_next_step(error: api.ProductiveError, code: str) -> None:
    problem = EXPLAIN(error)
    assert problem.code == code
    assert problem.message.endswith(".")
    assert problem.fix.endswith(".")
    assert "{" not in problem.message + problem.fix


def test_all_faults_of_a_refusal_are_told() -> None:
    blank = [api.Problem("x", "can't be blank", name) for name in ("title", "project")]
    problem = EXPLAIN(api.Refused(*blank))
    assert (
        problem.message == "Productive rejected it: title can't be blank; project can't be blank."
    )
    assert problem.field == "title"


def test_wait_is_given_in_whole_seconds_with_its_scope() -> None:
    mine, all_of_us = EXPLAIN(api.RateLimited(3.2)), EXPLAIN(api.RateLimited(0, ORGANIZATION))
    assert mine.retry_after_s == 4
    assert mine.fix == "Wait 4 seconds, then try again."
    assert "you" in mine.message
    assert all_of_us.retry_after_s == 1
    assert "company" in all_of_us.message


def test_long_wait_is_something_to_tell_the_user() -> None:
    problem = EXPLAIN(api.RateLimited(1000.5, api.Limit.SHARE))
    assert problem.retry_after_s == 1001
    assert "your part" in problem.message
    assert problem.fix.startswith("Do not try again before 17 minutes have passed (1001 seconds)")


@pytest.mark.parametrize("limit", api.Limit)
def test_each_limit_has_a_message_of_its_own(limit: api.Limit) -> None:
    others = {EXPLAIN(api.RateLimited(1, other)).message for other in api.Limit if other != limit}
    assert EXPLAIN(api.RateLimited(1, limit)).message not in others


@pytest.mark.attack("M-14")
def test_user_id_in_place_of_person_id_is_answered_with_the_person_id() -> None:
    problem = EXPLAIN(api.WrongTokenOwner("9104"))
    assert "userId to 9104" in problem.fix
    assert "it@example.test" in problem.fix


def test_without_a_contact_people_are_sent_to_the_administrator() -> None:
    assert "administrator" in Explainer(None).explain(api.TokenRejected()).fix


def test_problem_omits_empty_fields() -> None:
    plain = Problem("x", "What.", "How.")
    assert plain.structured() == {"code": "x", "message": "What.", "fix": "How."}
    full = Problem("x", "What.", "How.", "a", (Candidate("1", "A"), Candidate("2", "B", "c")), 9, 3)
    assert full.structured("r") == {
        "code": "x",
        "message": "What.",
        "fix": "How.",
        "field": "a",
        "candidates": [{"id": "1", "name": "A"}, {"id": "2", "name": "B", "context": "c"}],
        "more_candidates": 9,
        "retry_after_s": 3,
        "request_id": "r",
    }
    assert full.text() == "What. How.\n- A (1)\n- B (2): c\n- and 9 more"
