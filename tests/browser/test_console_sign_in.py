"""Tests of the console's sign-in, of the end of a session, and of a slow, failing or unreachable API."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from incidents_cli.local import sign_in

from tests.support.console import Server, World, serve, token
from tests.support.page import Visit, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route


def test_the_command_s_address_opens_the_console_signed_in_once(browser: "Browser", server: Server) -> None:
    address = server.address()
    with visit(browser, server) as here:
        here.page.goto(address)
        here.page.wait_for_selector(".rows")
        assert here.page.url == f"{server.console}#/?open=true"
        assert "acme" in here.page.locator(".who").inner_text()
    with visit(browser, server) as somebody_else:
        somebody_else.page.goto(address)
        assert "already used" in somebody_else.page.inner_text("main")
        somebody_else.page.goto(server.console)
        somebody_else.page.wait_for_selector("text=has not yet opened")


def test_a_link_that_came_before_the_sign_in_is_shown_after_it(browser: "Browser", server: Server) -> None:
    with visit(browser, server) as here:
        here.page.goto(f"{server.console}#/?unowned=true&order=asc")
        here.page.wait_for_selector("text=ask the person who runs the stack")
        here.page.goto(server.address())
        here.page.wait_for_selector(".rows")
        assert here.page.url.endswith("#/?unowned=true&order=asc")
        assert here.page.evaluate("sessionStorage.length") == 0


def test_a_reload_needs_no_typing_and_keeps_the_place(here: Visit) -> None:
    here.go("#/metrics?interval=week")
    here.settled()
    here.page.reload()
    here.page.wait_for_selector(".figures")
    assert here.page.url.endswith("#/metrics?interval=week")


def test_an_ended_session_signs_in_in_a_window_and_the_page_stays(here: Visit, world: World) -> None:
    page = here.page
    page.get_by_role("button", name="More").click()
    page.get_by_label("Category").fill("half typed")
    world.token_is_valid = world.refresh_is_valid = False
    page.evaluate("location.hash = '#/?open=true&order=asc'")
    page.wait_for_selector(".banner")
    assert page.get_by_label("Category").input_value() == "half typed"
    world.token_is_valid = world.refresh_is_valid = True
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Sign in again").click()
    here.until("!document.querySelector('.banner')")
    here.page.wait_for_selector(".rows")
    if not opened.value.is_closed():
        opened.value.wait_for_event("close")
    assert page.get_by_label("Category").input_value() == "half typed"
    assert here.titles()
    assert page.evaluate("document.activeElement.name") == "category", "the focus is where it was"


def test_a_token_is_renewed_in_silence_when_the_api_refuses_it(here: Visit, world: World) -> None:
    world.refusals = 1
    here.go("#/?order=asc")
    here.until("document.querySelectorAll('.rows tbody tr').length === 50")
    assert sum(line.endswith("/token-issuer/token") for line in world.requests) == 2


def test_after_a_sign_out_somebody_else_can_sign_in(here: Visit) -> None:
    here.page.get_by_role("button", name="Sign out").click()
    here.page.get_by_label("Tenant").fill("globex")
    here.page.get_by_label("Person", exact=True).fill("sam.ortiz")
    assert here.page.get_by_role("checkbox").count() == 2
    here.page.get_by_role("button", name="Sign in").click()
    here.page.wait_for_selector(".rows")
    who = here.page.locator(".who").inner_text()
    assert "globex" in who
    assert "sam.ortiz" in who


def test_a_sign_out_asks_if_something_is_not_saved(browser: "Browser", world: World) -> None:
    with serve(world, SIGN_OUT_URL="") as server, visit(browser, server) as here:
        page = here.open().page
        here.go("#/new")
        page.locator("#field-title").fill("An hour of typing")  # the header does not render again
        page.get_by_role("button", name="Sign out").click()
        page.locator("dialog[open]").get_by_role("button", name="Stay").click()
        assert page.locator("#field-title").input_value() == "An hour of typing"
        page.get_by_role("button", name="Sign out").click()
        page.locator("dialog[open]").get_by_role("button", name="Sign out").click()
        page.wait_for_selector("text=You are signed out")


def test_a_window_of_a_sign_in_does_nothing_after_a_sign_out(browser: "Browser", world: World) -> None:
    with serve(world, SIGN_OUT_URL="") as server, visit(browser, server, clock=False) as here:
        page = here.open().page
        here.go("#/new")
        page.locator("#field-title").fill("A secret of acme")
        world.token_is_valid = world.refresh_is_valid = False
        page.get_by_role("button", name="Create").click()
        page.wait_for_selector(".banner")
        asked: list[str] = []

        def hold(route: "Route") -> None:
            asked.append(route.request.url)
            route.fulfill(status=200, content_type="text/html", body="<p>issuer</p>")

        here.context.route(f"**{sign_in.AUTHORIZE}*", hold)
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Sign in again").click()
        opened.value.wait_for_selector("p")
        page.get_by_role("button", name="Sign out").click()
        page.locator("dialog[open]").get_by_role("button", name="Sign out").click()
        page.wait_for_selector("text=You are signed out")
        world.token_is_valid = world.refresh_is_valid = True
        answer = {"access_token": token("globex", "eve"), "token_type": "bearer", "expires_in": 3600}
        here.context.route(f"**{sign_in.TOKEN}", lambda route: route.fulfill(json=answer))
        before = len(world.requests)
        state = parse_qs(urlsplit(asked[0]).query)["state"][0]
        opened.value.goto(f"{server.console}?code=abc&state={state}")
        page.wait_for_timeout(1000)
        assert "You are signed out" in page.inner_text("main")
        assert not [line for line in world.requests[before:] if line.startswith("POST")], "it created eve's incident"


def test_another_server_on_this_machine_gets_nothing_to_sign_in_with(here: Visit, server: Server) -> None:
    """A browser sends a cookie of 127.0.0.1 to every port. A page of another server may have been opened by anybody."""
    sent: list[dict[str, str]] = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent.append(dict(self.headers.items()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        here.page.goto(f"http://127.0.0.1:{other.server_port}/token-issuer/authorize")
        kept = here.page.evaluate("[{...localStorage}, {...sessionStorage}, document.cookie]")
        other.shutdown()
    assert sent
    assert not [headers for headers in sent if "Cookie" in headers or server.origin in str(headers)]
    assert kept == [{}, {}, ""]
    here.page.goto(server.console)
    here.page.wait_for_selector(".rows")


def test_no_token_is_in_storage_address_history_or_log(browser: "Browser", server: Server, world: World) -> None:
    secrets: set[str] = set()
    with visit(browser, server) as here:
        messages: list[str] = []
        here.page.on("console", lambda message: messages.append(message.text))
        here.page.on("response", lambda answer: secrets.update(
            str(json.loads(answer.text())[name]) for name in ("access_token", "refresh_token")
        ) if answer.url.endswith("/token") else None)  # fmt: skip
        here.open()
        here.go("#/metrics")
        here.settled()
        kept = here.page.evaluate("""async () => JSON.stringify([
            {...localStorage}, {...sessionStorage}, document.cookie, location.href, history.state, window.name,
            (await indexedDB.databases()).length, (await caches.keys()).length, document.documentElement.outerHTML])""")
        visited = [line for line in world.requests if not line.startswith("POST")]
        assert len(secrets) == 2
        for place in (kept, *messages, *visited):
            assert not [secret for secret in secrets if secret in place]
        local, of_tab, cookies = json.loads(kept)[:3]
        assert [*local] == ["incidents.browser"], "only the local stack's issuer stores this proof, which is no token"
        assert (of_tab, cookies) == ({}, "")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TOKEN_URL": "http://issuer.example/token"}, "HTTPS"),
        ({"AUTHORIZE_URL": "http://issuer.example/authorize"}, "does not begin with https"),
        ({"CLIENT_ID": ""}, "Nobody can sign in yet"),
        ({"JWT_ISSUER": "https://another.example"}, "iss"),
    ],
)
def test_an_unsafe_or_incomplete_issuer_is_refused(
    browser: "Browser", world: World, settings: dict[str, str], words: str
) -> None:
    with serve(world, **settings) as server, visit(browser, server) as here:
        here.page.goto(server.address())
        here.page.wait_for_selector("main")
        here.until("document.querySelector('main').innerText.length > 10")
        assert words.lower() in here.page.inner_text("main").lower()
        assert (
            not [line for line in world.requests if line.startswith("POST /token-issuer/token")] or "iss" not in words
        )
        assert "access_token" not in here.page.content()


def test_an_answer_of_another_sign_in_is_refused(here: Visit, server: Server) -> None:
    here.page.goto(f"{server.console}?code=stolen&state=guessed")
    here.page.wait_for_selector("text=another sign-in")
    assert here.page.url.startswith(server.console + "#")


# --- a slow and failing API


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_api_is_asked_again_without_anybody(here: Visit, world: World, status: int) -> None:
    world.fails_with, world.failures = status, 2
    here.go("#/?order=asc")
    here.page.wait_for_selector(".state[role=alert]")
    assert "tries again by itself" in here.page.inner_text(".state")
    here.page.wait_for_selector(".rows")


def test_other_failures_say_what_to_do_and_name_the_request(here: Visit, world: World) -> None:
    world.fails_with = 500
    here.go("#/?order=asc")
    here.page.wait_for_selector(".state[role=alert]")
    assert "Kx1aBcDeFg=" in here.page.inner_text(".state")
    world.fails_with = 0
    here.page.get_by_role("button", name="Try again").click()
    here.page.wait_for_selector(".rows")


def test_without_network_the_page_waits_and_goes_on_by_itself(here: Visit) -> None:
    here.context.set_offline(True)
    here.go("#/?order=asc")
    here.page.wait_for_selector("text=No connection")
    here.context.set_offline(False)
    here.page.wait_for_selector(".rows")


def test_a_slow_api_shows_that_it_loads_and_a_late_answer_changes_nothing(here: Visit, world: World) -> None:
    world.seconds = 1.5
    here.go("#/?severity=critical")
    here.page.wait_for_selector(".loading")
    world.seconds = 0
    here.go("#/?severity=low")
    here.page.wait_for_selector(".rows")
    low = here.titles()
    here.until("performance.now() > 0")
    assert {*here.page.locator(".rows .severity").all_inner_texts()} == {"low"}
    assert here.titles() == low


def test_an_empty_tenant_and_a_search_without_match_read_differently(here: Visit, world: World) -> None:
    here.go("#/?q=nothing-has-this")
    here.page.wait_for_selector("text=No incident matches")
    here.page.get_by_role("button", name="Clear the search").click()
    here.page.wait_for_selector(".rows")
    world.incidents = []
    here.page.reload()
    here.page.wait_for_selector("text=No incidents yet")
