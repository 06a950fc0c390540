from __future__ import annotations

import contextlib
import string
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.link import (
    APP_HOST,
    LINKED,
    Link,
    LinkError,
    NotOneRecord,
    OtherHost,
    OtherKind,
    OtherOrganization,
    is_link,
    link_to,
    parse_link,
)

HERE = f"https://{APP_HOST}/1200-nls"

FORMS = {
    "tasks/{}": RecordKind.TASK,
    "tasks/task/{}": RecordKind.TASK,
    "task/{}": RecordKind.TASK,
    "m/task/{}": RecordKind.TASK,
    "projects/2274/tasks/task/{}": RecordKind.TASK,
    "projects/{}": RecordKind.PROJECT,
    "projects/{}/tasks": RecordKind.PROJECT,
    "projects/2274/boards/{}": RecordKind.FOLDER,
    "d/deal/{}": RecordKind.DEAL,
    "projects/budgets/d/deal/{}/time-entries": RecordKind.DEAL,
    "financials/budgets/d/deal/{}/services": RecordKind.DEAL,
    "deals/{}": RecordKind.DEAL,
    "deals/{}/budget": RecordKind.DEAL,
    "people/{}": RecordKind.PERSON,
    "people/{}/overview": RecordKind.PERSON,
    "companies/{}": RecordKind.COMPANY,
    "docs/doc/{}": RecordKind.PAGE,
    "pages/{}": RecordKind.PAGE,
    "services/{}": RecordKind.SERVICE,
    "bookings/{}": RecordKind.BOOKING,
    "invoices/{}": RecordKind.INVOICE,
    "expenses/{}": RecordKind.EXPENSE,
}

ids = st.integers(1, 10**18 - 1).map(str)
slugs = st.sampled_from(["", "-nls", "-northlight-studio", "-", "-9"])
queries = st.sampled_from(["", "?filter=LTE%3D", "?board=5&filter=-1-tasks&task-list=7", "?", "#x"])
printed = st.sampled_from(sorted(LINKED))


def parsed(path: str, kind: RecordKind | None = None) -> Link:
    return parse_link(f"{HERE}/{path}", organization="1200", kind=kind)


@given(st.sampled_from(sorted(FORMS)), ids, slugs, queries)
def test_every_public_form_leads_to_its_record(
    form: str, number: str, slug: str, query: str
) -> None:
    link = f"https://{APP_HOST}/1200{slug}/{form.format(number)}{query}"
    assert parse_link(link, organization="1200") == Link(FORMS[form], number, "1200")


@given(printed, ids, slugs)
def test_every_link_that_is_printed_is_read_back(kind: RecordKind, number: str, slug: str) -> None:
    link = link_to(kind, number, f"1200{slug}")
    assert is_link(link)
    assert parse_link(link, organization=f"1200{slug}", kind=kind) == Link(kind, number, "1200")
    assert kind.named_by(parse_link(link, organization="1200").kind)


@given(st.text(st.sampled_from(string.printable + "č\u202e/?=&#[]@:1200-nls"), max_size=80))
def test_junk_raises_only_link_errors(text: str) -> None:
    for link in (text, f"https://{text}", f"{HERE}/{text}", f"https://{APP_HOST}/{text}"):
        with contextlib.suppress(LinkError):
            assert parse_link(link, organization="1200").organization == "1200"


@given(
    st.lists(
        st.sampled_from([*"/".join(FORMS).replace("{}", "12").split("/"), "x", "0", "%31"]),
        max_size=6,
    )
)
def test_any_path_of_known_words_gives_an_id_of_that_path_or_a_link_error(words: list[str]) -> None:
    with contextlib.suppress(LinkError):
        assert parsed("/".join(words)).id in words


@pytest.mark.parametrize(
    ("path", "kind", "number"),
    [
        ("projects/2274/tasks/task/3497433?board=88&filter=MTI&task-list=9", None, "3497433"),
        ("docs/doc/500?filter=&page=501", None, "501"),
        ("docs/doc/500?filter=&page=", None, "500"),
        ("projects/2274/boards/88", RecordKind.PROJECT, "2274"),
        ("projects/2274/boards/88", None, "88"),
        ("projects/2274/tasks?board=88&filter=LTE", RecordKind.PROJECT, "2274"),
        ("deals/42/budget?service=16880011", None, "16880011"),
        ("deals/42/budget?service=16880011", RecordKind.BUDGET, "42"),
        ("d/deal/42", RecordKind.BUDGET, "42"),
        ("d/deal/42", RecordKind.DEAL, "42"),
        ("people/9104/overview", RecordKind.PERSON, "9104"),
        ("tasks//20510087/", RecordKind.TASK, "20510087"),
    ],
)
def test_most_specific_record_of_the_wanted_kind_is_meant(
    path: str, kind: RecordKind | None, number: str
) -> None:
    assert parsed(path, kind).id == number


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tasks",
        "tasks?filter=LTEtdGFza3M",
        "time",
        "time/me",
        "time?date=2026-11-23",
        "scheduling/bookings?date=2026-11-23&filter=LTE&groupBy=people",
        "settings/integrations",
        "projects",
        "projects/2274/tasks/task",
        "projects/2274/boards/88/99",
        "docs/doc/500?page=abc",
        "docs/doc/500?page=501&page=502",
        "tasks/0",
        "tasks/1234567890123456789",
        "tasks/２",  # noqa: RUF001  # a digit, but no digit of an id
        "tasks/5\n6",
        "tasks/../people/9104",
    ],
)
def test_view_is_not_one_record(path: str) -> None:
    with pytest.raises(NotOneRecord, match="a list or another view"):
        parsed(path)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/1200-nls/tasks/5",
        "https://app.productive.io@evil.example/1200-nls/tasks/5",
        "https://app.productive.io.evil.example/1200-nls/tasks/5",
        "https://ana@app.productive.io/1200-nls/tasks/5",
        "https://app.productive.io:8443/1200-nls/tasks/5",
        "https://files.productive.io/attachments/files/5",
        "ftp://app.productive.io/1200-nls/tasks/5",
        "https:///1200-nls/tasks/5",
    ],
)
def test_link_to_another_host_is_refused(link: str) -> None:
    with pytest.raises(OtherHost, match=r"does not lead to app\.productive\.io"):
        parse_link(link, organization="1200")


@pytest.mark.parametrize("other", ["999", "999-nls", "12000-nls", "12"])
def test_link_to_another_organization_is_refused(other: str) -> None:
    with pytest.raises(OtherOrganization, match="this connection is for the organization 1200"):
        parse_link(f"https://{APP_HOST}/{other}/tasks/5", organization="1200-nls")


def test_link_to_another_kind_says_which() -> None:
    with pytest.raises(OtherKind, match="leads to an invoice, not to a task") as caught:
        parsed("invoices/5", RecordKind.TASK)
    assert caught.value.found is RecordKind.INVOICE


@pytest.mark.parametrize(
    "link",
    [
        "app.productive.io/1200-nls/tasks/5",
        "APP.productive.io/1200-nls/tasks/5",
        "HTTPS://App.Productive.IO:443/1200/tasks/5",
        "http://app.productive.io/1200-nls/tasks/5",
    ],
)
def test_scheme_and_case_of_the_host_are_irrelevant(link: str) -> None:
    assert is_link(link)
    assert parse_link(link, organization="1200").id == "5"


def test_host_of_the_web_application_is_configurable() -> None:
    host = "productive.localhost:8080"
    link = link_to(RecordKind.TASK, "5", "1200-nls", host=host)
    assert link == "https://productive.localhost:8080/1200-nls/tasks/5"
    assert parse_link(link, organization="1200", host=host).id == "5"
    with pytest.raises(OtherHost):
        parse_link(f"{HERE}/tasks/5", organization="1200", host=host)


def test_record_without_a_link_has_none() -> None:
    assert RecordKind.TIME_ENTRY not in LINKED
    with pytest.raises(ValueError, match="a time entry has no link"):
        link_to(RecordKind.TIME_ENTRY, "5", "1200")


@pytest.mark.parametrize("text", ["Website relaunch", "relaunch/app", "app.productive.iox/1", ""])
def test_name_is_no_link(text: str) -> None:
    assert not is_link(text)


def test_every_kind_has_an_article() -> None:
    articles = {kind.indefinite for kind in RecordKind}
    assert {"a task", "an invoice", "an expense", "a type of absence"} <= articles


def test_kinds_share_links_only_if_they_are_one_resource() -> None:
    for one, other in pairwise(sorted(RecordKind)):
        shared = {one, other} == {RecordKind.BUDGET, RecordKind.DEAL}
        assert one.named_by(other) is shared
