"""Tests of the console's forms in Chromium, against the real handlers. What people type is never lost."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
import pytest

from tests.support.console import API, Server, World, serve, token
from tests.support.page import Visit, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog


class Caller:
    """Calls the handlers through the server, as another person's program."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        text = self.text(method, path, None if body is None else json.dumps(body))
        return json.loads(text) if text else None

    def text(self, method: str, path: str, body: str | None = None) -> str:
        """Return the text of an answer, with the digits of its numbers."""
        connection = HTTPConnection(self._server.origin.removeprefix("http://"))
        headers = {"authorization": f"Bearer {token('acme', 'jo.mills')}", "content-type": "application/json"}
        connection.request(method, API + path, body, headers)
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def trail(self, incident_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("GET", f"/{incident_id}/changes?limit=100")["items"]
        return found


@pytest.fixture
def call(server: Server, real: World) -> Caller:
    return Caller(server)


@pytest.fixture
def made(call: Caller) -> dict[str, Any]:
    """Return an incident that nobody owns."""
    found: dict[str, Any] = call("POST", "", {
        "title": "Laptop stolen", "severity": "medium", "tags": ["travel"], "detected_at": "2026-11-20T08:00:00Z",
    })  # fmt: skip
    return found


@pytest.fixture(scope="module")
def desk(browser: "Browser") -> Iterator[Visit]:
    with serve(World()) as unused, visit(browser, unused, clock=False) as opened:
        yield opened


@pytest.fixture
def ada(desk: Visit, server: Server, real: World) -> Iterator[Visit]:
    """Yield a window in which ada signed in. Each test has its own server, and so its own origin."""
    desk.server = server
    desk.reported.clear()
    yield desk.open(person="ada")
    with asked(desk):
        desk.page.goto("about:blank")
    assert [line for line in desk.reported if "Failed to load resource" not in line] == []


@contextmanager
def asked(here: Visit) -> Iterator[list[str]]:
    """Accept the browser's questions before a page is left. Yield their kinds."""
    questions: list[str] = []

    def accept(dialog: "Dialog") -> None:
        questions.append(dialog.type)
        dialog.accept()

    here.page.on("dialog", accept)
    yield questions
    here.page.remove_listener("dialog", accept)
    here.reported[:] = [line for line in here.reported if not line.startswith("dialog")]


def saved(here: Visit) -> None:
    """Save the form, and wait until the incident is shown."""
    here.page.locator("form.edit button[type=submit]").click()
    here.page.wait_for_selector(".timeline")
    here.settled()


def test_a_new_incident_is_made_once_even_if_its_answer_is_lost(ada: Visit, call: Caller, real: World) -> None:
    page = ada.page
    page.get_by_role("link", name="New", exact=True).click()
    page.get_by_role("button", name="Create").click()
    page.wait_for_selector(".input.wrong")
    assert "Title is required" in page.inner_text("#field-title-about")
    assert page.evaluate("document.activeElement.id") == "field-title"
    page.keyboard.type("Laptop stolen")
    page.locator("#field-severity").select_option("medium")
    for asset in ("lap-7", "lap-8"):
        page.locator("#field-affected_asset_ids").fill(asset)
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Remove lap-8").click()
    page.locator("#field-affected_asset_ids").fill("lap-9")  # not added, but typed
    page.locator("#field-occurred_at").fill("2026-11-20 08:30")
    page.locator("#field-detected_at").fill("2026-11-20 08:00Z")
    real.faults["ada"] = ["lost"]
    page.get_by_role("button", name="Create").click()
    page.wait_for_selector("text=No answer yet")
    page.locator("#field-owner_id").fill("sam")  # typed while the page waits for an answer
    ada.until("location.hash.includes('inc_')")
    ada.settled()
    (one,) = call("GET", "?limit=100")["items"]
    assert (one["title"], one["affected_asset_ids"], one["detected_at"]) == (
        "Laptop stolen",
        ["lap-7", "lap-9"],
        "2026-11-20T08:00:00.000Z",
    )
    assert (one["occurred_at"], one["owner_id"], one["created_by"]) == ("2026-11-20T07:30:00.000Z", "sam", "ada")
    assert one["source_type"] == "frontend"


def test_a_new_incident_that_somebody_else_changed_before_its_answer_came_asks_like_an_edit(
    ada: Visit, call: Caller, real: World
) -> None:
    page = ada.page
    page.get_by_role("link", name="New", exact=True).click()
    page.locator("#field-title").fill("Laptop stolen")
    page.locator("#field-description").fill("On the train.")
    page.locator("summary").get_by_text("More fields").click()
    for tag in ("train", "bonn"):
        page.locator("#field-tags").fill(tag)
        page.keyboard.press("Enter")
    real.faults["ada"] = ["lost"]
    page.get_by_role("button", name="Create").click()
    page.wait_for_selector("text=No answer yet")
    (made,) = call("GET", "?limit=100")["items"]
    theirs = {
        "title": "Laptop lost",
        "description": "Their long analysis.",
        "severity": "high",
        "tags": {"remove": ["train"]},
    }
    assert call("PATCH", f"/{made['id']}", theirs)["version"] == 2
    page.locator("#field-description").fill("On the way home.")
    page.locator("#field-severity").select_option("low")
    page.get_by_role("button", name="Remove bonn").click()
    page.locator("#field-tags").fill("police")
    page.wait_for_selector(".collisions")
    shown = [" ".join(one.split()) for one in page.locator(".collisions fieldset").all_inner_texts()]
    assert sorted(shown) == [
        "Description Before On the train. Theirs Their long analysis. Yours On the way home. Keep yours Take theirs",
        "Severity Before nothing Theirs high Yours low Keep yours Take theirs",
    ]
    assert call("GET", f"/{made['id']}")["version"] == 2, "the page overwrote before it asked"
    page.locator(".collisions fieldset:has-text('Severity')").get_by_label("Take theirs").check()
    page.locator(".collisions fieldset:has-text('Description')").get_by_label("Keep yours").check()
    page.get_by_role("button", name="Create").click()
    ada.until("location.hash.includes('inc_')")
    one = call("GET", f"/{made['id']}")
    assert (one["title"], one["description"], one["severity"]) == ("Laptop lost", "On the way home.", "high")
    assert one["tags"] == ["police"], "a removed tag came back, or the removal of one was lost"
    assert [change["by"] for change in call.trail(made["id"])] == ["ada", "jo.mills", "ada"]


def test_no_digit_changes_that_nobody_changed_and_a_changed_digit_collides(ada: Visit, call: Caller) -> None:
    page = ada.page
    lessons = '{"n":12345678901234567890,"k":"v","f":1.0,"neg":-0.0,"nul":null,"10":1}'
    amount = "123456789012345.6789"
    text = call.text("POST", "", f'{{"title":"L","financial_impact":{amount},"lessons_learned":{lessons}}}')
    path = f"/{json.loads(text)['id']}"
    ada.go(f"#/incidents{path}")
    ada.settled()
    shown = page.inner_text("main")
    assert "123,456,789,012,345.6789 USD" in shown
    assert "n: 12345678901234567890" in " ".join(shown.split())
    ada.go(f"#/incidents{path}/edit")
    area = page.locator("#field-lessons_learned")
    assert page.locator("#field-financial_impact").input_value() == amount
    assert "".join(area.input_value().split()) == lessons
    area.fill(area.input_value().replace('"v"', '"w"'))
    saved(ada)
    lessons = lessons.replace('"v"', '"w"')
    assert f'"lessons_learned":{lessons},' in call.text("GET", path)

    ada.go(f"#/incidents{path}/edit")
    area.fill(area.input_value().replace('"w"', '"mine"'))
    page.locator("#field-financial_impact").fill("5")
    theirs = '{"financial_impact":123456789012345.67,"lessons_learned":{"n":12345678901234567891}}'
    call.text("PATCH", path, theirs)
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector(".collisions")
    asked = [" ".join(one.split()) for one in page.locator(".collisions dl").all_inner_texts()]
    assert asked == [
        f"Before {lessons} Theirs {lessons.replace('890,', '891,')} Yours {lessons.replace('w', 'mine')}",
        f"Before {amount} Theirs 123456789012345.67 Yours 5",
    ]
    page.get_by_label("Take theirs").first.check()
    page.get_by_label("Keep yours").last.check()
    saved(ada)
    text = call.text("GET", path)
    assert f'"financial_impact":5,"lessons_learned":{lessons.replace("890,", "891,")},' in text
    history = page.inner_text(".timeline")
    assert "12345678901234567890" in history
    assert "12345678901234567891" in history
    assert "123,456,789,012,345.6789 USD became → 123,456,789,012,345.67 USD" in " ".join(history.split())


def test_the_service_s_errors_stand_beside_their_fields(ada: Visit, made: dict[str, Any], call: Caller) -> None:
    page = ada.page
    ada.go(f"#/incidents/{made['id']}/edit/when")
    page.wait_for_selector("form.edit")
    assert page.evaluate("document.activeElement.id") == "field-occurred_at"
    page.keyboard.type("2026-11-21 09:00")
    page.locator("#field-contained_at").fill("soon")
    page.keyboard.press("Enter")
    page.wait_for_selector(".wrong")
    assert "Contained must be a time such as" in page.inner_text("#field-contained_at-about")
    page.locator("#field-contained_at").fill("")
    page.keyboard.press("Enter")
    ada.until("document.activeElement.id === 'field-occurred_at'")
    assert "must not be after “Detected”, which is 2026-11-20 09:00" in page.inner_text("#field-occurred_at-about")
    assert page.inner_text(".bar .progress").split() == ["Not", "saved.", "Correct", "Began"], "the fault is there once"
    assert page.get_attribute("#field-occurred_at", "aria-invalid") == "true"
    assert ada.axe() == []
    page.locator("#field-occurred_at").fill("2026-11-20 07:59Z")
    saved(ada)
    assert call("GET", f"/{made['id']}")["mttd_minutes"] == 1


def test_two_people_s_changes_of_different_fields_are_both_saved_without_a_word(
    ada: Visit, made: dict[str, Any], call: Caller
) -> None:
    page = ada.page
    ada.go(f"#/incidents/{made['id']}/edit")
    page.locator("#field-title").fill("Laptop stolen on a train")
    page.locator("#field-tags").fill("police")
    call("PATCH", f"/{made['id']}", {"severity": "high", "tags": {"add": ["encrypted"], "remove": ["travel"]}})
    saved(ada)
    one = call("GET", f"/{made['id']}")
    assert (one["title"], one["severity"], one["tags"]) == ("Laptop stolen on a train", "high", ["encrypted", "police"])
    assert [change["by"] for change in call.trail(made["id"])] == ["jo.mills", "jo.mills", "ada"]


def test_a_change_whose_answer_was_lost_is_not_made_again_after_somebody_else_s(
    ada: Visit, made: dict[str, Any], call: Caller, real: World
) -> None:
    ada.go(f"#/incidents/{made['id']}/edit")
    ada.page.locator("#field-title").fill("Laptop found")
    real.faults["ada"] = ["lost"]
    ada.page.get_by_role("button", name="Save").click()
    ada.page.wait_for_selector("text=No answer yet")
    assert call("PATCH", f"/{made['id']}", {"title": "Laptop lost"})["version"] == 3
    ada.page.wait_for_selector(".timeline, .collisions")
    assert ada.page.locator(".collisions").count() == 0, "the page asks about a change that it had already saved"
    assert [change["by"] for change in call.trail(made["id"])] == ["jo.mills", "ada", "jo.mills"]


def test_the_same_field_shows_before_theirs_and_yours_and_nothing_is_lost(
    ada: Visit, made: dict[str, Any], call: Caller
) -> None:
    page = ada.page
    ada.go(f"#/incidents/{made['id']}/edit")
    page.locator("#field-title").fill("Laptop of the CFO stolen")
    page.locator("#field-category").fill("physical")
    page.locator("#field-description").fill("On the way home.")
    call("PATCH", f"/{made['id']}", {"title": "Laptop lost", "category": "other", "owner_id": "jo.mills"})
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector(".collisions")
    assert page.evaluate("document.activeElement.tagName") == "H2"
    assert ada.axe() == []
    shown = [" ".join(one.split()) for one in page.locator(".collisions fieldset").all_inner_texts()]
    assert shown == [
        "Title Before Laptop stolen Theirs Laptop lost Yours Laptop of the CFO stolen Keep yours Take theirs",
        "Category Before nothing Theirs other Yours physical Keep yours Take theirs",
    ]
    assert page.get_by_role("button", name="Save").is_disabled()
    assert page.locator("#field-description").input_value() == "On the way home."
    page.get_by_label("Keep yours").first.check()
    page.get_by_label("Take theirs").last.check()
    saved(ada)
    one = call("GET", f"/{made['id']}")
    wanted = ("Laptop of the CFO stolen", "other", "On the way home.", "jo.mills")
    assert (one["title"], one["category"], one["description"], one["owner_id"]) == wanted
    assert len(call.trail(made["id"])) == 3


@pytest.mark.parametrize(
    ("before", "mine", "theirs"), [('{"a":1}', '{"a":2}', '"text"'), ('"text"', '"2026"', '{"b":1}')]
)
def test_keep_yours_saves_the_value_that_the_question_shows_and_not_their_type(
    ada: Visit, call: Caller, before: str, mine: str, theirs: str
) -> None:
    made = call("POST", "", {"title": "L", "lessons_learned": json.loads(before)})
    path = f"/{made['id']}"
    ada.go(f"#/incidents{path}/edit")
    ada.page.locator("#field-lessons_learned").fill(mine.strip('"'))
    call.text("PATCH", path, f'{{"lessons_learned":{theirs}}}')
    ada.page.get_by_role("button", name="Save").click()
    ada.page.get_by_label("Keep yours").check()
    saved(ada)
    assert f'"lessons_learned":{mine},' in call.text("GET", path)


def test_a_draft_outlives_the_session_the_network_and_its_view(
    ada: Visit, made: dict[str, Any], call: Caller, real: World
) -> None:
    page = ada.page
    ada.go(f"#/incidents/{made['id']}/edit")
    page.locator("#field-root_cause").fill("The bag was open.")
    page.get_by_role("link", name="Metrics").click()
    page.wait_for_selector("h1:has-text('How long')")
    page.locator(".unsaved").get_by_role("link", name=made["incident_number"]).click()
    assert page.locator("#field-root_cause").input_value() == "The bag was open."
    with asked(ada) as questions:
        page.reload()
    assert questions == ["beforeunload"]
    page.wait_for_selector(".top")

    ada.go(f"#/incidents/{made['id']}/edit")
    page.locator("#field-root_cause").fill("The bag was open.")
    real.token_is_valid = real.refresh_is_valid = False
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=Your session has ended")
    page.locator("#field-owner_id").fill("ada")  # still possible
    real.token_is_valid = real.refresh_is_valid = True
    with page.expect_popup():
        page.get_by_role("button", name="Sign in again").click()
    ada.until("!document.querySelector('.banner')")
    page.wait_for_selector("text=Unsaved")
    ada.until("!document.querySelector('form.edit button[type=submit]').disabled")
    assert page.locator("#field-owner_id").input_value() == "ada"
    assert call("GET", f"/{made['id']}")["root_cause"] == "The bag was open."

    ada.context.set_offline(True)
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=No answer yet")
    ada.context.set_offline(False)
    page.wait_for_selector(".timeline")
    assert [change["by"] for change in call.trail(made["id"])] == ["jo.mills", "ada", "ada"]


def test_somebody_else_s_sign_in_does_not_get_what_was_typed(
    ada: Visit, made: dict[str, Any], call: Caller, real: World, server: Server
) -> None:
    page = ada.page
    ada.go(f"#/incidents/{made['id']}/edit")
    page.locator("#field-root_cause").fill("The bag was open.")
    real.token_is_valid = real.refresh_is_valid = False
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector(".banner")
    real.token_is_valid = real.refresh_is_valid = True
    for person, words in (("eve", "This page belongs to ada of acme"), ("ada", "")):
        with ada.context.new_page() as other:  # signs out, so that the issuer asks who signs in
            other.goto(f"{server.origin}/token-issuer/sign-out?post_logout_redirect_uri={quote(server.console)}")
            other.wait_for_selector("[name=tenant]")
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Sign in again").click()
        opened.value.get_by_label("Person", exact=True).fill(person)
        opened.value.get_by_role("button", name="Sign in").click()
        if words:
            page.wait_for_selector(f"text={words}")
            assert page.locator("#field-root_cause").input_value() == "The bag was open."
    page.wait_for_selector(".timeline")
    assert [change["by"] for change in call.trail(made["id"])] == ["jo.mills", "ada"]


def test_a_deletion_looks_again_if_somebody_changed_the_incident_meanwhile(
    ada: Visit, made: dict[str, Any], call: Caller, real: World
) -> None:
    page = ada.page
    ada.go(f"#/incidents/{made['id']}")
    page.get_by_role("button", name="Delete this incident").click()
    call("PATCH", f"/{made['id']}", {"severity": "critical"})
    typed = page.get_by_label("To delete it, type its number")
    typed.fill(made["incident_number"])
    page.keyboard.press("Enter")
    page.wait_for_selector("text=jo.mills changed the incident meanwhile")
    page.wait_for_selector(".title .severity.critical")
    assert typed.input_value() == ""
    real.faults["ada"] = ["lost"]
    typed.fill(made["incident_number"])
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Restore this incident")
    assert [change["action"] for change in call.trail(made["id"])] == ["created", "updated", "deleted"]


def test_a_number_with_a_blank_at_its_end_can_be_typed_for_a_deletion(ada: Visit, call: Caller) -> None:
    one = call("POST", "", {"title": "Laptop stolen", "incident_number": "CASE-7 "})
    ada.go(f"#/incidents/{one['id']}")
    ada.page.get_by_role("button", name="Delete this incident").click()
    ada.page.get_by_label("To delete it, type its number").fill("CASE-7")
    ada.page.keyboard.press("Enter")
    ada.page.wait_for_selector("text=Restore this incident")


def test_who_leaves_an_incident_to_its_owner_is_not_called_the_owner(
    ada: Visit, made: dict[str, Any], call: Caller
) -> None:
    page = ada.page
    ada.go(f"#/incidents/{made['id']}")
    ada.settled()
    call("PATCH", f"/{made['id']}", {"owner_id": "jo.mills"})
    page.get_by_role("button", name="Take this incident").click()
    page.get_by_label("Take theirs").check()
    page.locator(".title .controls").get_by_role("button", name="Save").click()
    ada.until("document.getElementById('said').textContent === 'jo.mills is the owner'")
    assert call("GET", f"/{made['id']}")["owner_id"] == "jo.mills"


def test_who_may_only_read_sees_no_control_that_the_api_would_refuse(
    browser: "Browser", server: Server, made: dict[str, Any]
) -> None:
    with visit(browser, server, clock=False) as here:
        here.open(person="ada", scope="incidents:read")
        for hash_ in ("#/?open=true", f"#/incidents/{made['id']}"):
            here.go(hash_)
            here.settled()
            words = here.page.locator("button, a.button, nav a, .card a").all_inner_texts()
            assert not [
                one for one in words if one.split(" ")[0] in ("New", "Edit", "Move", "Take", "Delete", "Record")
            ]
        for hash_ in ("#/new", f"#/incidents/{made['id']}/edit"):
            here.go(hash_)
            here.page.wait_for_selector("text=You may not change incidents")


class Keyboard:
    """Uses the page by keyboard alone."""

    def __init__(self, here: Visit) -> None:
        self._here, self._keys = here, here.page.keyboard

    def reach(self, name: str) -> None:
        """Press Tab until the control with this name has the focus."""
        for _ in range(250):
            self._keys.press("Tab")
            if self._here.page.evaluate(_NAME_OF_FOCUS) == name:
                return
        raise AssertionError(f"Tab does not reach {name}")

    def use(self, name: str, *typed: str) -> None:
        """Reach a control and press Enter. Then type each text, with Tab before each but the first, and press Enter."""
        self.reach(name)
        self._keys.press("Enter")
        for number, text in enumerate(typed):
            if number == 0:
                self._here.until("document.activeElement.tagName === 'INPUT'")
            else:
                self.reach(text.partition("=")[0])
            self._keys.press("Control+a")
            self._keys.type(text.partition("=")[2])
        if typed:
            self._keys.press("Enter")

    def press(self, *keys: str) -> None:
        for key in keys:
            self._keys.press(key)


_NAME_OF_FOCUS = """(() => { const one = document.activeElement;
  return one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent; })()"""


def test_an_incident_s_whole_life_by_keyboard_alone(ada: Visit, call: Caller) -> None:
    page, keys = ada.page, Keyboard(ada)

    def version(wanted: int) -> None:
        """Wait until the page shows the version that the last step made."""
        shown = (
            "[...document.querySelectorAll('dt')].find((one) => one.textContent === 'Version')?.nextSibling.textContent"
        )
        ada.until(f"{shown} === '{wanted}'")
        ada.settled()

    keys.reach("New")
    keys.press("Enter")
    page.wait_for_selector("#field-title")
    keys.reach("Title (required)")
    page.keyboard.type("Mailbox of the CFO forwarded to an unknown address")
    keys.press("Enter")
    version(1)
    one = call("GET", "?limit=1")["items"][0]
    keys.use("Take this incident")
    version(2)
    assert "owner ada" in page.inner_text("header.title")
    keys.use("Move to investigating")
    ada.until("document.activeElement.type === 'submit'")
    keys.press("Enter")
    version(3)
    assert page.evaluate(_NAME_OF_FOCUS) == "Move to contained", "the likeliest next step has the focus"
    keys.press("Enter")
    ada.until("document.activeElement.id === 'field-contained_at'")
    assert page.locator("#field-contained_at").input_value().startswith("20"), "the stamp is shown before it is made"
    keys.press("Enter")
    version(4)
    keys.reach("Edit: Reporting")
    keys.press("Enter")
    ada.until("document.activeElement.id === 'field-reportable_to'")
    page.keyboard.type("GDPR")
    keys.press("Enter", "Enter")  # the first adds the item, the second saves
    version(5)
    keys.use("Record GDPR: aware")
    ada.until("document.activeElement.tagName === 'INPUT'")
    keys.press("Enter")
    page.wait_for_selector("text=Time: aware needs a time")
    page.keyboard.type("2026-11-20 18:00")
    keys.press("Enter")
    version(6)
    stage = page.locator(".stage").first
    stage.filter(has_text="Due 23 Nov 2026, 18:00").wait_for()
    keys.reach("Why")
    keys.press("Enter")
    assert "72 h" in stage.locator("details").inner_text()
    assert "GDPR Art. 33(1)" in stage.inner_text()
    keys.use("Record the submission of GDPR: authority", "=2026-11-21 09:00Z", "Reference of the recipient=A-17")
    version(7)
    stage.filter(has_text="A-17").wait_for()
    assert "before the time from which the term counts" not in stage.inner_text()
    assert "Submitted 21 Nov 2026, 10:00, reference A-17" in " ".join(stage.inner_text().split())
    keys.use("Move to closed")
    ada.until("document.activeElement.id === 'field-closed_at'")
    keys.press("Enter")
    version(8)
    keys.use("Edit: When")
    keys.reach("Closed")
    keys.press("Control+a")
    page.keyboard.type("9998-01-01 00:00Z")
    keys.press("Enter")
    page.wait_for_selector("text=Closed is a time in the future")
    assert ada.axe() == []
    keys.reach("This time is in the future, and it is right")
    keys.press("Space")
    keys.reach("Save")
    keys.press("Enter")
    version(9)
    assert call("GET", f"/{one['id']}")["closed_at"] == "9998-01-01T00:00:00.000Z"
    keys.use("Reopen: review")
    ada.until("document.activeElement.type === 'submit'")
    assert "The history keeps them" in page.inner_text(".step")
    keys.press("Enter")
    version(10)
    keys.use("Delete this incident…", "=INC-0000-000000")
    assert page.locator(".step").get_by_role("button", name="Delete").is_disabled()
    page.keyboard.press("Control+a")
    page.keyboard.type(one["incident_number"])
    keys.press("Enter")
    version(11)
    assert "Deleted" in page.inner_text(".note")
    assert page.get_by_role("link", name="Edit").count() == 0
    keys.use("Restore", f"={one['incident_number']}")
    version(12)
    assert [change["action"] for change in call.trail(one["id"])] == [
        "created", *["updated"] * 6, "closed", "updated", "reopened", "deleted", "restored",
    ]  # fmt: skip
    assert ada.axe() == []


def test_a_report_s_form_needs_a_time_and_outlives_its_view(ada: Visit, made: dict[str, Any], call: Caller) -> None:
    gdpr = {"anchors": {"aware": "2026-11-20T08:00:00Z"}}
    call("PATCH", f"/{made['id']}", {"reportable_to": ["GDPR"], "regulatory_reports": {"eu-gdpr": gdpr}})
    page = ada.page
    ada.go(f"#/incidents/{made['id']}")
    page.get_by_role("button", name="Move to closed").click()
    page.wait_for_selector("text=Overdue: GDPR: authority. The report stays open after the closing.")
    page.locator("#field-closed_at").fill("")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Closed needs a time")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Record the submission of GDPR: authority").click()
    time, reference = page.get_by_label("Submitted", exact=True), page.get_by_label("Reference of the recipient")
    assert time.input_value().startswith("20"), "the form proposes now"
    time.fill("")
    reference.fill("A-17")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Submitted needs a time")
    time.fill("2026-11-19 09:00")
    page.get_by_role("link", name="Metrics").click()
    page.wait_for_selector("h1:has-text('How long')")
    page.locator(".unsaved").get_by_role("link").click()
    reference.wait_for()
    assert (time.input_value(), reference.input_value()) == ("2026-11-19 09:00", "A-17")
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_selector("text=The submission is before the time from which the term counts")
    assert ada.axe() == []
    page.get_by_role("button", name="Correct the submission of GDPR: authority").click()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Submitted has not changed")
    time.fill("")
    reference.fill("")
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_role("button", name="Record the submission of GDPR: authority").wait_for()


def test_a_history_is_checked_on_demand_and_a_falsified_change_is_named(
    ada: Visit, made: dict[str, Any], call: Caller, real: World, deployed: str
) -> None:
    for version in range(2, 7):
        call("PATCH", f"/{made['id']}", {"title": f"Laptop {version}", "financial_impact": version / 4})
    page = ada.page
    page.route(
        "**/changes?limit=100*", lambda route: route.continue_(url=route.request.url.replace("limit=100", "limit=4"))
    )
    ada.go(f"#/incidents/{made['id']}")
    ada.settled()
    assert page.locator(".verdict").count() == 0
    page.get_by_role("button", name="Check history").click()
    page.wait_for_selector(".verdict")
    good = "No fault: 6 changes fit their hashes, and the incident's values lead back to the values after change 1."
    assert page.inner_text(".verdict") == page.inner_text("#said") == good
    assert sum("cursor=" in one for one in real.requests) == 2, "the check must read all pages, as the timeline did"
    assert "computed all later hashes anew" in page.inner_text(".verdict + p")
    assert ada.axe() == []

    table = boto3.client("dynamodb", region_name="us-east-1")
    key = {"pk": {"S": "TENANT#acme#CHANGE"}, "sk": {"S": f"{made['id']}#{5:010d}"}}
    item = table.get_item(TableName=deployed, Key=key)["Item"]
    table.put_item(TableName=deployed, Item=item | {"by": {"S": "mallory"}})
    page.get_by_role("button", name="Check history").click()
    ada.until("document.querySelector('.verdict')?.textContent.startsWith('Fault')")
    assert page.inner_text(".verdict") == "Fault: change 5 differs from its hash."
    assert ada.axe() == []
    page.unroute("**/changes?limit=100*")


# --- saves that take long: what is typed, left, discarded or taken back meanwhile


def wait_for_service(here: Visit, button: str) -> None:
    """Press a button that saves, and wait until the page knows that the service is busy."""
    here.page.get_by_role("button", name=button, exact=True).click()
    here.page.get_by_role("button", name="Stop trying").wait_for()


def test_discard_stops_the_save(ada: Visit, made: dict[str, Any], call: Caller, real: World) -> None:
    page = ada.page
    for hash_, button in ((f"#/incidents/{made['id']}/edit", "Save"), ("#/new", "Create")):
        ada.go(hash_)
        page.locator("#field-title").fill("Never save this")
        real.faults["ada"] = ["503"]
        wait_for_service(ada, button)
        page.get_by_role("button", name="Discard").click()
        page.locator("dialog[open]").get_by_role("button", name="Discard").click()
        page.wait_for_selector("form.edit", state="detached")
    page.wait_for_timeout(1500)  # longer than the page would wait before it sends again
    assert [one["title"] for one in call("GET", "?limit=100")["items"]] == ["Laptop stolen"]


def test_a_step_keeps_what_was_typed_while_it_was_sent(ada: Visit, call: Caller, real: World) -> None:
    detected = {"reportable_to": ["GDPR"], "detected_at": "2026-11-20T08:00:00Z"}
    one = call("POST", "", {"title": "Laptop stolen"} | detected)
    page = ada.page
    ada.go(f"#/incidents/{one['id']}")
    page.get_by_role("button", name="Record the submission of GDPR: authority").click()
    real.faults["ada"] = ["503"]
    wait_for_service(ada, "Record")
    page.get_by_label("Reference of the recipient").fill("A-17")
    page.get_by_role("button", name="Stop trying").wait_for(state="detached")
    ada.settled()
    assert page.get_by_label("Reference of the recipient").input_value() == "A-17"
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_selector("form.step", state="detached")
    stages = call("GET", f"/{one['id']}")["regulatory_reports"]["eu-gdpr"]["stages"]
    assert stages["authority"]["reference"] == "A-17"
    assert len(call.trail(one["id"])) == 3


def test_a_value_taken_back_after_a_lost_answer_is_taken_back_in_the_service_too(
    ada: Visit, made: dict[str, Any], call: Caller, real: World
) -> None:
    page = ada.page
    ada.go(f"#/incidents/{made['id']}/edit")
    page.locator("#field-title").fill("Laptop lost")
    real.faults["ada"] = ["lost"]
    wait_for_service(ada, "Save")
    page.get_by_role("button", name="Stop trying").click()
    page.wait_for_selector("text=Save again to learn whether the change was saved")
    page.locator("#field-title").fill("Laptop stolen")
    page.get_by_role("link", name="Metrics").click()
    page.locator(".unsaved").get_by_role("link", name=made["incident_number"]).click()
    saved(ada)
    assert call("GET", f"/{made['id']}")["title"] == "Laptop stolen"
    assert [change["by"] for change in call.trail(made["id"])] == ["jo.mills", "ada", "ada"]


def test_a_form_that_was_opened_again_during_its_save_ends_as_if_it_had_stayed(
    ada: Visit, made: dict[str, Any], call: Caller, real: World
) -> None:
    page = ada.page
    for hash_, button in ((f"#/incidents/{made['id']}/edit/what", "Save"), ("#/new", "Create")):
        ada.go(hash_)
        page.locator("#field-title").fill(f"Title of {button}")
        real.faults["ada"] = ["503"]
        wait_for_service(ada, button)
        page.get_by_role("link", name="List", exact=True).first.click()
        page.locator(".unsaved a").click()
        page.wait_for_selector("form.edit")
        page.wait_for_selector(".timeline")
        assert page.inner_text("h1") == f"Title of {button}"
        assert page.locator(".unsaved").count() == 0
    assert {one["title"] for one in call("GET", "?limit=100")["items"]} == {"Title of Save", "Title of Create"}


def test_a_step_that_was_opened_again_during_its_save_ends_as_if_it_had_stayed(
    ada: Visit, made: dict[str, Any], real: World
) -> None:
    page = ada.page
    ada.go(f"#/incidents/{made['id']}")
    page.get_by_role("button", name="Move to investigating").click()
    real.faults["ada"] = ["503"]
    page.locator("form.step button[type=submit]").click()
    page.get_by_role("button", name="Stop trying").wait_for()
    page.get_by_role("link", name="Metrics").click()
    page.wait_for_selector("h1:has-text('How long')")
    page.locator(".unsaved a").click()
    page.wait_for_selector(".life .now:has-text('investigating')")
    page.wait_for_selector("form.step", state="detached")


def test_a_held_enter_submits_nothing(ada: Visit, call: Caller) -> None:
    one = call("POST", "", {"title": "Laptop stolen", "reportable_to": ["GDPR"]})
    page = ada.page
    ada.go(f"#/incidents/{one['id']}")
    for name in ("Move to dismissed", "Record the submission of GDPR: authority"):
        page.get_by_role("button", name=name).focus()
        page.keyboard.down("Enter")
        page.wait_for_selector("form.step")
        page.keyboard.down("Enter")  # the browser repeats it
        page.keyboard.up("Enter")
        page.wait_for_timeout(200)
        page.get_by_role("button", name="Cancel").click()
    ada.go(f"#/incidents/{one['id']}/edit")
    page.locator("#field-title").fill("Half a ti")
    page.locator("#field-tags").fill("travel")
    page.keyboard.down("Enter")
    page.get_by_role("button", name="Remove travel").wait_for()
    page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.wait_for_timeout(200)
    assert page.locator("form.edit").count() == 1
    page.locator("#field-description").focus()
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    assert page.locator("#field-description").input_value() == "\n\n", "a held Enter makes lines in a long text"
    assert len(call.trail(one["id"])) == 1


def test_a_step_that_is_cancelled_during_its_save_shows_what_the_service_has(
    ada: Visit, made: dict[str, Any], real: World
) -> None:
    page = ada.page
    for status, stops in (("investigating", False), ("contained", True)):
        ada.go("#/?open=true")
        ada.go(f"#/incidents/{made['id']}")
        page.get_by_role("button", name=f"Move to {status}").click()
        real.faults["ada"] = ["lost"]
        page.locator("form.step button[type=submit]").click()
        page.get_by_role("button", name="Stop trying").wait_for()
        if stops:
            page.get_by_role("button", name="Stop trying").click()
            page.wait_for_selector("text=Save again to learn whether the change was saved")
        page.get_by_role("button", name="Cancel").click()
        page.wait_for_selector(f".life .now:has-text('{status}')")
