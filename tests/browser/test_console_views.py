"""Tests of the console's views. They check the shown values, use by keyboard only, both themes, and every width."""

import csv
import io
import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import recorded, templates
from tests.support.console import Server, World, changes, finding, incidents
from tests.support.page import Visit, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = templates.CHECKOUT / "docs" / "pictures"
NOTHING = "#/?q=nothing-has-this-title"
WEEKS = "#/metrics?interval=week&from=2026-09-07&to=2026-11-27"
LONG = "A very long line without an end " * 1024


def first(world: World) -> str:
    return f"#/incidents/{world.incidents[0]['id']}"


def found(world: World) -> str:
    """Return the address of an incident that a finding created."""
    one = next(one for one in world.incidents if one["source"] == "aws.guardduty")
    return f"#/incidents/{one['id']}"


# --- accessibility


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 320)])
def test_axe_finds_nothing_and_nothing_is_cut_off_in_any_view_or_state(
    browser: "Browser", server: Server, world: World, scheme: str, width: int
) -> None:
    missing = "#/incidents/inc_01JDXN00000000009999999999"
    world.incidents = world.incidents[:11]  # one of each kind, because axe's time grows with the rows
    world.incidents[1]["detected_at"] = "2026-01-05T10:00:00.000Z"  # so the row also shows the creation
    with visit(browser, server, width=width, color_scheme=scheme) as here:
        here.open()
        assert here.width_beyond() <= 0
        problems = {"list": here.axe()}
        for label in ("Severity", "More"):
            here.page.locator(".filters").get_by_role("button", name=label).click()
            problems[label] = here.axe()
            here.page.keyboard.press("Escape")
        for name, hash_ in (
            ("filters", "#/?owner_id=ada.byron&affected_asset_id=fin-22&created_from=2026-11-01T00:00:00Z"),
            ("empty", NOTHING), ("incident", first(world)), ("events", found(world)), ("metrics", "#/metrics"),
            ("board", "#/deadlines"), ("new", "#/new"), ("edit", f"{first(world)}/edit"),
            ("no deadlines", "#/deadlines?regime=uk-nis"),
            ("missing", missing),
            ("refused", "#/?wrong=1"), ("unknown page", "#/nowhere"),
        ):  # fmt: skip
            here.go(hash_)
            here.settled()
            for summary in here.page.locator("main details > summary").all():
                summary.click()
            problems[name] = here.axe()
            assert here.width_beyond() <= 0, name
        here.go(first(world))
        here.settled()
        for name in (
            "Move to closed",
            "Delete this incident…",
            "Record GDPR: facts",
            "Record the submission of GDPR: authority",
        ):
            here.page.get_by_role("button", name=name).click()
        problems["steps"] = here.axe()
        assert here.width_beyond() <= 0
        here.go(f"{first(world)}/edit")
        here.page.locator("#field-title").fill("Another title")
        here.page.get_by_role("button", name="Discard").click()
        problems["question"] = here.axe()
        here.page.keyboard.press("Escape")
        here.page.keyboard.press("?")
        problems["keys"] = here.axe()
        here.page.keyboard.press("Escape")
        for status in (403, 429, 500, 503):
            world.fails_with, world.retry_after = status, 600
            here.go(f"#/?q=status{status}")
            here.page.wait_for_selector(".state[role=alert]")
            problems[str(status)] = here.axe()
            here.go(NOTHING)
        world.fails_with = 0
        world.token_is_valid = world.refresh_is_valid = False
        here.go("#/?order=asc")
        here.page.wait_for_selector(".banner")
        problems["ended"] = here.axe()
        assert here.width_beyond() <= 0
        assert {name: found_there for name, found_there in problems.items() if found_there} == {}


def test_by_keyboard_alone_somebody_finds_the_oldest_open_incident_without_owner(here: Visit, world: World) -> None:
    oldest = [one for one in world.incidents if one["status"] not in ("closed", "dismissed") and not one["owner_id"]][
        -1
    ]
    press, page = here.page.keyboard.press, here.page
    press("f")
    for _ in range(12):  # each press of Tab moves the focus, first through the chips and then to the order
        if page.evaluate("document.activeElement.textContent") == "No owner":
            press("Space")
        if page.evaluate("document.activeElement.tagName") == "SELECT":
            break
        press("Tab")
    page.keyboard.type("Oldest")
    here.until("location.hash.includes('unowned=true') && location.hash.includes('order=detected')")
    here.settled()
    here.page.keyboard.press("Tab")
    press("j")
    press("k")
    press("Enter")
    page.wait_for_selector(".timeline")
    assert page.locator("h1").inner_text() == oldest["title"]
    assert page.evaluate("document.activeElement.tagName") == "H1"
    press("u")
    here.settled()
    here.until("document.activeElement.closest('.rows') !== null")
    assert page.evaluate("document.activeElement.textContent") == oldest["title"]
    press("/")
    page.keyboard.type("ransom")
    here.until("location.hash.includes('q=ransom')")
    assert page.evaluate("document.activeElement.id") == "search"


def test_single_keys_can_be_switched_off_and_never_act_while_somebody_types(here: Visit) -> None:
    page = here.page
    page.click("#search")
    page.keyboard.type("jk?u/")
    assert page.input_value("#search") == "jk?u/"
    page.fill("#search", "")
    page.keyboard.press("Tab")
    page.keyboard.press("?")
    page.get_by_label("Keys of one character are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") != "search"


def test_a_menu_closes_with_escape_and_gives_the_focus_back(here: Visit) -> None:
    button = here.page.locator(".filters").get_by_role("button", name="Severity")
    button.focus()
    here.page.keyboard.press("Enter")
    here.until("document.activeElement.type === 'checkbox'")
    here.page.keyboard.press("Space")
    here.until("location.hash.includes('severity=critical')")
    here.page.keyboard.press("Escape")
    assert here.page.locator(".panel").count() == 0
    assert here.page.evaluate("document.activeElement.textContent") == "Severity: critical"


def test_nothing_moves_for_people_who_want_no_motion(browser: "Browser", server: Server) -> None:
    with visit(browser, server, reduced_motion="reduce") as here:
        here.open()
        moving = (
            "[...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).transitionDuration !== '0s')"
        )
        assert here.page.evaluate(f"{moving}.length") == 0


def test_at_twice_the_size_nothing_is_cut_off(browser: "Browser", server: Server, world: World) -> None:
    with visit(browser, server, width=640, height=450, device_scale_factor=2) as here:
        here.open()
        for hash_ in ("#/", first(world), "#/metrics"):
            here.go(hash_)
            here.settled()
            assert here.width_beyond() <= 0


# --- the list


def test_reload_back_and_a_colleague_s_browser_show_the_same(browser: "Browser", here: Visit) -> None:
    page = here.page
    page.get_by_role("button", name="No owner").click()
    here.settled()
    here.until("location.hash.includes('unowned')")
    page.locator("select").first.select_option("asc")
    here.until("location.hash.includes('asc')")
    here.settled()
    wanted, address = here.titles(), page.url
    assert len(wanted) > 5
    page.reload()
    page.wait_for_selector(".rows")
    assert (here.titles(), page.url) == (wanted, address)
    with visit(browser, here.server) as colleague:
        colleague.open(address[address.index("#") :])
        colleague.page.wait_for_selector(".rows")
        assert colleague.titles() == wanted
    page.locator(".rows .what a").nth(2).click()
    page.wait_for_selector(".timeline")
    page.go_back()
    here.settled()
    assert (here.titles(), page.url) == (wanted, address)


@pytest.mark.parametrize(
    ("menu", "name", "value", "in_address"),
    [
        ("Owner", "Owner", "ada.byron", "owner_id=ada.byron"),
        ("Asset", "Asset", "arn:aws:s3:::finance-archive", "affected_asset_id=arn%3Aaws%3As3%3A%3A%3Afinance-archive"),
        ("More", "Reportable to", "GDPR", "reportable_to=GDPR"),
    ],
)
def test_a_value_becomes_a_filter_that_can_be_removed(
    here: Visit, menu: str, name: str, value: str, in_address: str
) -> None:
    here.page.locator(".filters").get_by_role("button", name=menu, exact=True).click()
    here.page.locator(".panel").get_by_label(name, exact=True).fill(value)
    here.page.keyboard.press("Enter")
    here.until(f"location.hash.includes({in_address!r})")
    here.settled()
    assert 0 < len(here.titles()) < 50
    here.page.get_by_role("button", name=f"{name}: {value}").click()
    here.settled()
    assert in_address not in here.page.url


def test_a_day_is_meant_in_the_reader_s_zone(here: Visit) -> None:
    here.page.locator(".filters").get_by_role("button", name="Created").click()
    here.page.get_by_label("Created from").fill("2026-11-20")
    here.page.get_by_label("Created until").fill("2026-11-21")
    here.page.keyboard.press("Enter")
    here.until("location.hash.includes('created_to')")
    assert "created_from=2026-11-19T23%3A00%3A00.000Z" in here.page.url
    assert "created_to=2026-11-21T22%3A59%3A59.999Z" in here.page.url


def test_paging_goes_forward_and_back_with_focus_and_address(here: Visit, world: World) -> None:
    here.go("#/?")
    here.settled()
    assert len(here.titles()) == 50
    here.page.get_by_role("button", name="Next").click()
    here.until("document.querySelectorAll('.rows tbody tr').length === 10")
    assert "page=2" in here.page.url
    here.page.get_by_role("button", name="Previous").click()
    here.until("document.querySelectorAll('.rows tbody tr').length === 50")
    assert world.requests[-1].startswith("GET")


def test_the_earliest_detection_comes_first_and_every_match_can_be_reached(here: Visit, world: World) -> None:
    world.incidents = incidents(300)
    world.incidents[3] |= {"title": "Found in an old log", "detected_at": "2026-01-05T10:00:00.000Z", "owner_id": None}
    here.page.get_by_role("button", name="No owner").click()
    here.page.get_by_label("Order").select_option("detected")
    here.until("document.querySelector('.rows .what a')?.textContent === 'Found in an old log'")
    here.settled()
    row = here.page.locator(".rows tbody tr").first.inner_text()
    assert "326 d" in row
    assert "created 26 Nov" in row
    found = [one for one in world.incidents if one["status"] not in ("closed", "dismissed") and not one["owner_id"]]
    since: list[str] = []
    while True:
        since += [one.get_attribute("datetime") or "" for one in here.page.locator(".rows .age time").all()]
        paging = here.page.locator(".paging").inner_text()
        if not here.page.get_by_role("button", name="Next").count():
            break
        assert "50 incidents, more on the next page" in paging
        here.page.get_by_role("button", name="Next").click()
        here.until(f"document.querySelector('.paging').innerText !== {paging!r}")
    assert "no more" in paging
    assert since == sorted(one["detected_at"] for one in found)
    here.page.reload()
    here.page.wait_for_selector(".rows")
    here.page.get_by_role("button", name="Previous").click()
    here.until("document.querySelectorAll('.rows tbody tr').length === 50")


def test_a_filter_takes_the_words_of_the_page_and_offers_them(here: Visit, world: World) -> None:
    here.page.locator(".filters").get_by_role("button", name="More").click()
    offered = here.page.locator("#values-category option").evaluate_all("all => all.map(one => one.value)")
    assert "unauthorized access" in offered
    here.page.get_by_label("Category").fill("Unauthorized access")
    here.page.keyboard.press("Enter")
    here.until("location.hash.includes('category')")
    here.settled()
    wanted = {one["title"] for one in world.incidents if one["category"] == "unauthorized_access"}
    assert {*here.titles()} == wanted
    here.page.locator(".filters").get_by_role("button", name="Owner", exact=True).click()
    here.page.get_by_label("Owner", exact=True).fill("nobody")
    here.page.keyboard.press("Enter")
    here.until("location.hash.includes('unowned=true')")


def test_a_search_without_match_names_the_filters_and_keeps_its_words(here: Visit, world: World) -> None:
    closed = next(one for one in world.incidents if one["status"] == "closed")
    here.page.fill("#search", "shared folder")
    here.page.wait_for_selector("text=No incident matches “shared folder”")
    assert "this filter: Open." in here.page.inner_text(".state")
    here.page.get_by_role("button", name="Search without filters").click()
    here.page.wait_for_selector(".rows")
    assert {*here.titles()} == {closed["title"]}
    assert here.page.input_value("#search") == "shared folder"
    here.go(f"#/?open=true&q={closed['incident_number'].lower()}")
    here.page.wait_for_selector(".rows")
    assert here.titles() == [closed["title"]], "a complete number finds an incident that is not open"


def test_list_returns_to_the_last_filters_and_incidents_to_all_open_ones(here: Visit) -> None:
    here.go("#/?severity=high&order=detected")
    here.settled()
    for link in ("List", "Metrics", "List"):
        here.page.get_by_role("link", name=link, exact=True).click()
        here.settled()
    assert here.page.url.endswith("#/?severity=high&order=detected")
    here.page.get_by_role("link", name="Incidents", exact=True).click()
    here.until("location.hash === '#/?open=true'")


def test_a_rare_match_among_ten_thousand_incidents_is_found(here: Visit, world: World) -> None:
    world.incidents = incidents(10_000)
    world.incidents[9_700] |= {"title": "The rare one", "severity": "low"}
    here.go("#/?q=rare")
    here.page.wait_for_selector("text=The rare one")
    assert here.titles() == ["The rare one"]
    here.go("#/?open=true&unowned=true&order=asc")
    here.until("document.querySelectorAll('.rows tbody tr').length === 50")


# --- an incident, and metrics


def test_an_incident_tells_why_it_is_severe_who_touched_it_and_when(here: Visit, world: World) -> None:
    here.go(first(world))
    here.page.wait_for_selector(".timeline")
    text = here.page.locator("main").inner_text()
    assert "was high, set by ada.byron" in text
    assert "8 h 12 min after it began" in text
    assert "48,250.50 USD" in text
    shown = here.page.locator(".timeline li strong").all_inner_texts()
    assert shown == [one["by"] for one in reversed(changes(world.incidents[0]))]
    detected = here.page.locator("time", has_text="27 Nov 2026, 09:40").first
    assert detected.get_attribute("datetime") == world.incidents[0]["detected_at"]
    assert detected.get_attribute("title") == "2026-11-27 08:40:00 UTC"
    assert here.page.title().startswith("INC-2026-000291 ")


def test_an_identifier_can_be_copied(browser: "Browser", server: Server, world: World) -> None:
    with visit(browser, server, permissions=["clipboard-read", "clipboard-write"]) as here:
        here.open(first(world))
        here.page.get_by_role("button", name="Copy incident id").click()
        here.page.wait_for_selector("text=Copied")
        assert here.page.evaluate("navigator.clipboard.readText()") == world.incidents[0]["id"]


def test_a_link_can_be_copied_and_a_number_opens_its_incident(browser: "Browser", server: Server, world: World) -> None:
    one = world.incidents[0]
    with visit(browser, server, permissions=["clipboard-read", "clipboard-write"]) as here:
        here.open()
        for hash_, shown in (("#/?severity=high", ".rows"), (f"#/incidents/{one['incident_number']}", ".timeline")):
            here.go(hash_)
            here.page.wait_for_selector(shown)
            here.page.get_by_role("button", name="Copy link").click()
            here.page.wait_for_selector("text=Copied")
            assert here.page.evaluate("navigator.clipboard.readText()") == here.page.url
        assert here.page.url.endswith(first(world))
        assert here.page.locator("h1").inner_text() == one["title"]
        here.go("#/incidents/INC-1999-000001")
        here.page.wait_for_selector("text=There is no incident with the number INC-1999-000001")


def test_history_and_cards_use_the_same_words(here: Visit, world: World) -> None:
    one = world.incidents[4]
    fields = {
        "owner_id": {"from": None, "to": "ada.byron"},
        "financial_impact": {"from": None, "to": 45000},
        "mttd_minutes": {"from": None, "to": 492},
        "category": {"from": "phishing", "to": "third_party"},
        "lessons_learned": {"from": [1.0, {"a": 12345678901234567890}], "to": [1]},
    }
    world.trail = [{"version": 1, "at": one["created_at"], "by": "jo.mills", "action": "updated", "changes": fields}]
    here.go(f"#/incidents/{one['id']}")
    here.page.wait_for_selector(".timeline")
    shown = [" ".join(text.split()) for text in here.page.locator(".timeline .field").all_inner_texts()]
    assert shown == [
        "owner nobody became → ada.byron",
        "financial impact set to 45,000 USD",
        "time to detect set to 8 h 12 min",
        "category phishing became → third party",
        'lessons learned \N{MINUS SIGN} 1.0 \N{MINUS SIGN} {"a":12345678901234567890} + 1',
    ]
    assert "not closed, open for" in here.page.inner_text("main")
    folded = [" ".join(text.split()) for text in here.page.locator(".folded").all_inner_texts()]
    assert "Findings Not recorded: alerts." in folded


def test_the_events_of_a_finding_are_summed_up_first_and_shown_whole_on_demand(here: Visit, world: World) -> None:
    event = recorded.event("security_hub_asff_guardduty", detail__findings__0__Process={"Path": "/opt/xmrig"})
    world.findings = [
        finding(event),
        finding({"source": "aws.test", "detail": {"n": 12345678901234567890, "10": 1.0}}, is_cut=True),
    ]
    here.go(found(world))
    here.settled()
    card = here.page.locator("section.card", has=here.page.get_by_role("heading", name="Findings", exact=True)).first
    text = card.inner_text()
    assert "orders-worker" in text
    assert "/opt/xmrig" in text
    assert "Workflow.Status: NEW" in " ".join(text.split())
    assert "https://eu-central-1.console.aws.amazon.com/guardduty/home?region=eu-central-1" in text
    assert card.locator("a").count() == 0, "a link of an event is a text"
    assert "ProductFields" not in card.inner_html(), "the event is folded"
    folded = card.get_by_text("Event as received")
    assert folded.count() == 2
    folded.first.click()
    card.get_by_role("button", name="Show all").click()
    shown = card.locator(".raw").inner_text().removesuffix("Show less").strip()
    assert json.loads(shown) == event
    folded.last.click()
    card.get_by_text("Notes replace some parts of the event.").wait_for()
    assert '"n": 12345678901234567890,\n    "10": 1.0\n' in card.locator(".raw").last.inner_text()


def test_later_events_are_reached_by_keyboard_and_only_a_finding_s_incident_has_any(here: Visit, world: World) -> None:
    world.findings = [finding({"source": "aws.test", "detail": {"n": n}}) for n in range(12)]
    here.go(first(world))
    here.settled()
    assert not any("/findings" in one for one in world.requests)
    here.go(found(world))
    here.settled()
    events = here.page.get_by_text("Event as received")
    assert events.count() == 10
    here.page.get_by_role("button", name="Show later events").focus()
    here.page.keyboard.press("Enter")
    here.until("document.querySelectorAll('details').length === 12")
    here.page.keyboard.press("Tab")
    assert here.page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert here.page.get_by_role("button", name="Show later events").count() == 0


def test_metrics_of_last_month_have_figures_gaps_definitions_and_what_waits(here: Visit, world: World) -> None:
    here.page.get_by_role("link", name="Metrics").click()
    here.page.get_by_role("button", name="Last 30 days").click()
    here.until("document.activeElement.textContent === 'Last 30 days' && document.activeElement.closest('.panel')")
    here.page.get_by_role("button", name="Last month").click()
    here.until("location.hash.includes('from=2026-10-01&to=2026-10-31')")
    here.settled()
    text = here.page.locator("main").inner_text()
    assert "1 Oct to 31 Oct 2026" in text
    assert "mean of 89 incidents, 9 imported" in text
    assert "2 days of this window wait to be computed" in text
    assert "Minutes from “Began” to “Detected”" in text
    assert "a time is missing" in text
    here.page.locator("summary").first.click()
    rows = here.page.locator("details[open] tbody th").all_inner_texts()
    assert "4 Oct 2026" in rows
    assert not {"5 Oct 2026", "6 Oct 2026"} & {*rows}, "a day without a value has no row"
    here.page.get_by_label("Compare by").select_option("category")
    here.page.wait_for_selector("text=unauthorized access")
    here.page.get_by_label("Trend by").select_option("month")
    here.page.wait_for_selector("text=Only the month from 1 Oct 2026 has a value: mean")
    assert here.page.locator(".chart svg").count() == 0
    here.page.get_by_role("link", name="incidents of this window", exact=True).first.click()
    here.until("location.hash.includes('detected_from')")
    here.settled()
    assert "detected_from=2026-10-01T00%3A00%3A00.000Z&detected_to=2026-10-31T23%3A59%3A59.999Z" in here.page.url


# --- to hand out


def saved_rows(here: Visit, button: str) -> list[list[str]]:
    """Press a button that saves a file, and return the rows of the file as a spreadsheet reads them."""
    with here.page.expect_download() as download:
        here.page.get_by_role("button", name=button).first.click()
    text = download.value.path().read_bytes()
    assert text.startswith(b"\xef\xbb\xbf"), "without the mark, Excel reads UTF-8 as another encoding"
    return [*csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""))]


def answer(page: "Page", address: str, status: int, body: object) -> None:
    """Answer the requests of an address in place of the made-up API."""
    page.route(address, lambda route: route.fulfill(status=status, json=body, content_type="application/problem+json"))


def test_deadlines_that_cannot_be_read_are_no_absence_of_deadlines(here: Visit, world: World) -> None:
    page = here.page
    answer(page, "**/deadlines?incident_id*", 500, {"detail": "it failed"})
    answer(page, "**/incidents/*/deadlines", 500, {"detail": "it failed"})
    here.go("#/?")
    page.wait_for_selector("text=The deadlines of these incidents could not be read")
    assert page.get_by_role("button", name="Save incidents as CSV").count() == 0
    page.unroute("**/deadlines?incident_id*")
    page.locator(".note").get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Save incidents as CSV").wait_for()
    assert page.locator(".note").count() == 0
    here.go(first(world))
    page.get_by_role("button", name="Move to closed").click()
    page.wait_for_selector(".step >> text=So a report may be overdue")
    page.unroute("**/incidents/*/deadlines")
    here.reported.clear()


def test_an_empty_page_of_the_board_does_not_say_that_no_report_is_open(here: Visit) -> None:
    page = here.page
    answer(page, "**/deadlines?limit*", 200, {"items": [], "next_cursor": "abc"})
    here.go("#/deadlines")
    page.wait_for_selector("text=No report on this page")
    page.unroute("**/deadlines?limit*")
    answer(page, "**/deadlines?*limit*", 200, {"items": [], "next_cursor": None})
    here.go("#/deadlines?regime=uk-nis")
    page.wait_for_selector("text=No report of this regime is open")
    here.go("#/deadlines")
    page.wait_for_selector("text=No report is open")
    page.unroute("**/deadlines?*limit*")


def test_who_set_the_severity_is_only_said_if_all_changes_are_known(here: Visit, world: World) -> None:
    def change(version: int) -> dict[str, Any]:
        changed = {"severity": {"from": "low", "to": "high"}} if version == 5 else {}
        return {"version": version, "at": world.incidents[0]["created_at"], "by": "early", "action": "updated",
                "changes": changed}  # fmt: skip

    answer(here.page, "**/changes?*", 200, {"items": [change(5), change(6)], "next_cursor": "more"})
    here.go(first(world))
    here.page.wait_for_selector(".timeline li")
    row = here.page.locator("dl div", has_text="Severity").first
    assert "early" not in row.inner_text()
    here.page.unroute("**/changes?*")


def test_a_search_that_pauses_after_a_word_keeps_the_blank(here: Visit) -> None:
    here.page.locator("#search").focus()
    here.page.keyboard.type("ransom ")
    here.until("location.hash.includes('q=ransom')")
    here.settled()
    here.page.keyboard.type("note")
    here.until("location.hash.includes('q=ransom+note')")


def test_only_a_list_of_items_changes_its_order(here: Visit, world: World) -> None:
    ends: list[tuple[str, Any, Any]] = [
        ("tags", ["a", "b"], ["b", "a"]), ("lessons_learned", ["a"], ["a", "a"]), ("lessons_learned", ["yes"], "yes"),
    ]  # fmt: skip
    at = world.incidents[0]["created_at"]
    world.trail = [
        {"version": n, "at": at, "by": "ada", "action": "updated", "changes": {name: {"from": before, "to": after}}}
        for n, (name, before, after) in enumerate(ends, 1)
    ]
    here.go(first(world))
    here.page.wait_for_selector(".timeline .field")
    shown = [" ".join(one.split()) for one in here.page.locator(".timeline .field").all_inner_texts()]
    assert shown == [
        'lessons learned ["yes"] became → yes', 'lessons learned ["a"] became → ["a","a"]', "tags in another order",
    ]  # fmt: skip


def test_an_error_of_the_address_before_is_not_shown_while_the_next_one_loads(here: Visit, world: World) -> None:
    here.go("#/?bogus=1")
    here.page.wait_for_selector(".state[role=alert]")
    world.seconds = 1
    here.go("#/?open=true")
    here.page.wait_for_selector(".loading")
    assert here.page.locator("[role=alert]").count() == 0
    world.seconds = 0
    here.page.wait_for_selector(".rows")
    here.reported.clear()


def test_what_is_shown_can_be_saved_for_a_spreadsheet_and_no_text_becomes_a_formula(here: Visit, world: World) -> None:
    world.incidents[1]["title"] = '=HYPERLINK("https://example.com","click")'
    here.go("#/?severity=critical")
    here.settled()
    rows = saved_rows(here, "Save incidents as CSV")
    assert [row[1].removeprefix("'") for row in rows[1:]] == here.titles()
    assert rows[2][1] == "'" + world.incidents[1]["title"]
    assert rows[1][-3:] == ["2026-11-27T06:00:00.000Z", "NIS2", "eu-nis2"]
    here.go(first(world))
    here.settled()
    rows = saved_rows(here, "Save history")
    assert [row[0] for row in rows[1:]] == ["1", "2", "3", "3", "4", "5"]
    assert rows[5][3:] == ["updated", "severity", "high", "critical"]
    here.go("#/deadlines")
    here.settled()
    rows = saved_rows(here, "Save deadlines as CSV")
    assert len(rows) - 1 == here.page.locator(".board li").count()
    assert rows[1][2:7] == ["NIS2", "eu-nis2", "early_warning", "overdue", "2026-11-27T06:00:00.000Z"]
    here.go("#/metrics?interval=month&from=2026-10-01&to=2026-11-27&group_by=category")
    here.settled()
    rows = saved_rows(here, "Save metrics")
    assert rows[0][-4:] == ["mean (min)", "median (min)", "p90 (min)", "p95 (min)"]
    assert rows[1][:5] == ["Time to detect", "all", "2026-10-01", "2026-11-27", "89"]
    assert {row[1] for row in rows[1:]} == {"all", "span", "phishing", "unauthorized_access", "malware"}


def test_a_link_to_metrics_names_its_days_and_a_link_to_a_change_shows_the_change(
    browser: "Browser", server: Server, world: World
) -> None:
    with visit(browser, server, permissions=["clipboard-read", "clipboard-write"]) as here:
        here.open("#/metrics")
        here.page.wait_for_selector(".figures")
        here.page.get_by_role("button", name="Copy link").click()
        here.page.wait_for_selector("text=Copied")
        copied = here.page.evaluate("navigator.clipboard.readText()")
        assert copied.endswith("#/metrics?from=2026-10-29&to=2026-11-27")
        here.go(first(world))
        here.page.get_by_role("link", name="Link to change 4").click()
        here.until("location.hash.endsWith('/changes/4')")
        assert "high" in here.page.locator(".linked").inner_text()
        assert here.page.locator("h1").inner_text() == world.incidents[0]["title"]


def test_on_paper_the_page_is_light_without_controls_and_says_where_it_comes_from(
    browser: "Browser", server: Server, world: World
) -> None:
    with visit(browser, server, width=794, color_scheme="dark") as here:  # A4
        here.open()
        for hash_ in ("#/metrics?interval=week&from=2026-09-07&to=2026-11-27", first(world), "#/deadlines"):
            here.page.emulate_media(media="screen")
            here.go(hash_)
            here.settled()
            here.page.emulate_media(media="print")
            assert here.page.locator("button:visible, .top:visible, select:visible, input:visible").count() == 0, hash_
            assert here.page.url in here.page.locator(".printed").inner_text()
            background = here.page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
            assert background == "rgb(255, 255, 255)"
            assert here.width_beyond() <= 0
            for width in (600, 1047):  # a chart keeps the size of the screen, until the print scales it
                here.page.set_viewport_size({"width": width, "height": 1000})
                assert here.page.evaluate(_CHARTS_BEYOND) == []
            here.page.set_viewport_size({"width": 794, "height": 1000})


_CHARTS_BEYOND = """[...document.querySelectorAll('.chart svg')].map((svg) => svg.getBoundingClientRect().width
  - svg.parentElement.clientWidth).filter((beyond) => Math.abs(beyond) > 1)"""


# --- hostile content


HOSTILE = [
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "\u202egpj.exe \u2066left\u2069 \u200fright",
    "שלום עולם مرحبا بالعالم",
    "👩🏽‍🚒🏳️‍🌈" * 40,
    "javascript:alert(1)//https://example.com",
    "w" * 300,
]


@pytest.mark.parametrize("text", HOSTILE, ids=["markup", "direction", "rtl", "emoji", "link", "long"])
def test_text_of_callers_is_only_ever_text(
    here: Visit, world: World, text: str, promise: Callable[[str, str], None]
) -> None:
    one = world.incidents[0]
    for name, value in list(one.items()):
        if isinstance(value, str) and name not in ("id", "status", "severity") and not name.endswith("_at"):
            one[name] = text[:300]
        if isinstance(value, list):
            one[name] = [text[:300]]
    one |= {
        "description": text * (32_768 // len(text)),
        "root_cause": text,
        "lessons_learned": {text[:50]: [text, 1, None]},
    }
    at = one["created_at"]
    fields = {
        "title": {"from": text, "to": "x"},
        "tags": {"from": [text], "to": []},
        "description": {"from": LONG, "to": text * 50},
    }
    world.trail = [
        {"version": 1, "at": at, "by": text, "action": "created", "changes": {}, "dates": {"occurred_at": text}},
        {"version": 2, "at": at, "by": text, "action": "updated", "changes": fields},
    ]
    one["created_by"] = "system:test"  # a finding created it
    hostile = {name: {"sourceUrl": text, "url": text, "name": text} for name in ("detail", "process", text[:100])}
    names = {"remoteIpDetails": {"ipAddressV4": text}, "userIdentity": {"arn": text}, "containers": [{"image": text}]}
    advice = {"remediation": {"recommendation": {"text": text * 50}}, "RecordState": text, "title": LONG}
    world.findings = [finding({"source": text, **hostile, **names, **advice})]
    world.findings[0] |= {"rule": text, "adapter": text}
    world.findings[0]["summary"] |= {"link": text, "principals": [text], "upstream_state": {text: text}}
    here.go(f"#/?q={text[:20].encode().hex()}")
    here.go("#/?")
    here.settled()
    assert here.width_beyond() <= 0
    here.go(first(world))
    here.page.wait_for_selector(".timeline")
    here.settled()
    for summary in here.page.locator("summary").all():
        summary.click()
    long = here.page.get_by_role("button", name="Show all")
    while long.count():
        long.first.click()
    assert here.width_beyond() <= 0
    assert here.page.evaluate("document.querySelectorAll('main img, main script, main [onerror]').length") == 0
    shown = here.page.locator("h1").inner_text()
    assert not {*"\u202e\u2066\u2069\u200f"} & {*shown}
    if "\u202e" in text:
        assert "[U+202E]" in shown
    here.go(f"{first(world)}/edit")
    here.page.wait_for_selector("form.edit")
    assert here.width_beyond() <= 0
    assert here.page.evaluate("document.querySelectorAll('main img, main script, main [onerror]').length") == 0
    assert here.page.locator("#field-root_cause").input_value() == text, "the form changes the text"
    assert here.violations() == []
    promise(
        "The console shows hostile texts only as texts",
        f"{len(HOSTILE)} kinds of hostile text were in every field, in the history and in the event of a finding: "
        "0 violations of the policy, and 0 elements made from a text",
    )


def test_a_planted_innerhtml_is_refused_by_the_browser(here: Visit) -> None:
    message: Any = here.page.evaluate(
        "() => { try { document.body.innerHTML = '<p>x</p>'; return 'taken'; } catch (e) { return e.message; } }"
    )
    assert "TrustedHTML" in message
    assert here.page.evaluate("window.__violations.length") == 1
    here.page.evaluate("window.__violations.length = 0")
    here.reported.clear()


# --- the pictures of docs/console.md


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_documentation_s_pictures_show_the_console(
    browser: "Browser", server: Server, world: World, scheme: str, tmp_path: Any
) -> None:
    """With INCIDENTS_PICTURES=1, this test writes the pictures into docs/pictures."""
    folder = PICTURES if os.environ.get("INCIDENTS_PICTURES") else tmp_path
    with visit(browser, server, height=800, color_scheme=scheme) as here:
        here.open()
        for name, hash_ in (
            ("list", ""),
            ("incident", first(world)),
            ("metrics", "#/metrics?interval=week&from=2026-09-07&to=2026-11-27"),
        ):
            if hash_:
                here.go(hash_)
                here.page.wait_for_selector(".timeline, .chart svg")
            here.settled()
            file = f"console-{name}-{scheme}.png"
            here.picture(folder / file)
            assert (PICTURES / file).stat().st_size > 20_000, "make the pictures: INCIDENTS_PICTURES=1"
