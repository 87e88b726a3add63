"""Tests of the console on the local stack, with the real page, sign-in, gateway and API."""

import json
import time

import httpx2
from incidents_cli.local import sign_in
from incidents_cli.local.local_stack import Stack
from incidents_cli.local.routes import DeployedTemplate

from tests.support import templates
from tests.support.checkout import Checkout
from tests.support.page import chromium


def record(stack: Checkout) -> Stack:
    return Stack(**json.loads((stack.home / "stack.json").read_text()))


def test_somebody_finds_the_oldest_open_incident_without_an_owner_and_reads_it(stack: Checkout) -> None:
    known = record(stack)
    caller = stack.caller(stack.token("acme"))
    wanted = caller.get("?open=true&unowned=true&order=asc&limit=1").json()["items"][0]
    reported: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: reported.append(message.text))
        page.on("pageerror", lambda error: reported.append(str(error)))
        page.goto(known.endpoint_url + sign_in.OPEN + sign_in.ticket(known.access_key, time.time()))
        page.get_by_role("button", name="No owner").click()
        page.get_by_label("Order").select_option("asc")
        page.get_by_role("link", name=wanted["title"]).click()
        page.wait_for_selector(".timeline")
        assert wanted["incident_number"] in page.inner_text("main")
        made = caller.post(json={"title": "Laptop lost", "reportable_to": ["GDPR"]}).json()
        page.evaluate("(hash) => { location.hash = hash; }", f"#/incidents/{made['id']}")
        page.get_by_role("button", name="Take this incident").click()
        page.wait_for_selector(".timeline li:nth-child(2)")
        page.get_by_role("button", name="Record GDPR: aware").click()
        page.get_by_role("textbox", name="Time: aware").fill("2026-11-20 18:00Z")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=GDPR Art. 33(1)")
        page.wait_for_selector(".timeline li:nth-child(3)")
        assert caller.get(f"/{made['id']}").json()["owner_id"] == "developer"
        page.get_by_role("link", name="Metrics").click()
        page.wait_for_selector(".figures")
        page.reload()
        page.wait_for_selector(".figures")
    assert reported == []


def test_the_console_s_files_come_through_the_gateway_with_their_headers(stack: Checkout, http: httpx2.Client) -> None:
    console = record(stack).incidents_url + "/console"
    page = http.get(console)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    script = page.text.partition('src="console/')[2].partition('"')[0]
    assert "immutable" in http.get(f"{console}/{script}").headers["cache-control"]
    assert http.get(f"{console}/config").json()["client_id"] == "console"
    assert http.get(f"{console}/other.js").status_code == 404


def test_a_parameter_leaves_the_console_out(stack: Checkout) -> None:
    deployed = DeployedTemplate(record(stack))
    for value, there in (("true", True), ("false", False)):
        template = deployed.changed(CreateConsole=value)
        paths = template.member("Api", "Body")["paths"]
        assert any(path.startswith("/api/v1/grc/incidents/console") for path in paths) is there


def test_as_translated_the_console_s_routes_and_limits_depend_on_the_parameter() -> None:
    resources = templates.translated()["Resources"]
    assert resources["GetConsole"]["Condition"] == "HasConsole"
    for route in ("GET /api/v1/grc/incidents/console", "GET /api/v1/grc/incidents/console/{file}"):
        (stage,) = (one for one in resources.values() if one["Type"] == "AWS::ApiGatewayV2::Stage")
        condition, limits, otherwise = stage["Properties"]["RouteSettings"][route]["Fn::If"]
        assert (condition, otherwise) == ("HasConsole", {"Ref": "AWS::NoValue"})
        assert limits == {"ThrottlingRateLimit": 20, "ThrottlingBurstLimit": 100}
        path = resources["Api"]["Properties"]["Body"]["paths"][route.removeprefix("GET ")]
        assert path["Fn::If"][0] == "HasConsole"
