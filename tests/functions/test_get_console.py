"""Tests of the console's function: its page, its files, its policy and its configuration."""

import base64
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import get_console
import pytest
from get_console import PATH, config, handler, policy

from tests.support import templates

FOLDER = templates.CHECKOUT / "infra" / "functions" / "console"
KILOBYTES = 60


def get(file: str | None = None, **headers: str) -> dict[str, Any]:
    event: dict[str, Any] = {"headers": {name.replace("_", "-"): value for name, value in headers.items()}}
    return handler(event if file is None else event | {"pathParameters": {"file": file}}, None)


def test_the_console_answers_the_routes_of_the_template() -> None:
    events = templates.functions()[templates.CONSOLE]["Events"].values()
    routes = {f"{event['Properties']['Method']} {event['Properties']['Path']}" for event in events}
    assert routes == {f"GET {PATH}", f"GET {PATH}/{{file}}"}


def test_the_page_names_only_its_own_script_and_stylesheet() -> None:
    page = get()["body"]
    linked = [part.split('"')[0].removeprefix("console/") for part in page.split('="') if part.startswith("console/")]
    assert sorted(linked) == sorted(path.name for path in FOLDER.glob("console-*"))
    assert "<style" not in page
    assert "style=" not in page
    assert page.count("<script") == page.count('<script type="module" src="console/') == 1


def test_the_console_is_at_most_60_kilobytes_compressed() -> None:
    names = ["", *(path.name for path in FOLDER.glob("console-*"))]
    answers = [get(name or None, accept_encoding="gzip") for name in names]
    assert len(answers) == 3
    assert sum(len(base64.b64decode(answer["body"])) for answer in answers) <= KILOBYTES * 1000


@pytest.mark.parametrize("name", [None, "config", "licenses.txt", *(path.name for path in FOLDER.glob("console-*"))])
def test_every_file_is_compressed_on_request_and_has_an_etag(name: str | None) -> None:
    plain, compressed = get(name), get(name, accept_encoding="br, gzip")
    assert gzip.decompress(base64.b64decode(compressed["body"])).decode() == plain["body"]
    assert get(name, if_none_match=plain["headers"]["etag"])["statusCode"] == 304
    assert plain["headers"]["x-content-type-options"] == "nosniff"
    for_ever = name is not None and name.startswith("console-")
    assert ("immutable" in plain["headers"]["cache-control"]) is for_ever


@pytest.mark.parametrize(
    "name", ["get_console.py", "page.html", "../get_console.py", "", "requirements.txt", "console-"]
)
def test_no_other_file_is_served(name: str) -> None:
    assert get(name)["statusCode"] == (200 if name == "" else 404)


def test_the_policy_allows_only_own_files_and_the_token_endpoint() -> None:
    directives = dict(one.partition(" ")[::2] for one in policy("https://issuer.example/oauth2/token").split("; "))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "data:",
        "connect-src": "'self' https://issuer.example",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert "connect-src 'self';" in policy("")
    assert get()["headers"]["content-security-policy"] == policy("")


def test_the_configuration_names_what_the_stack_s_parameters_say() -> None:
    environment = {
        "JWT_ISSUER": "https://issuer.example", "TOKEN_CLAIMS": "tid azp idtyp=app scp,roles", "CLIENT_ID": "c",
        "AUTHORIZE_URL": "https://issuer.example/a", "TOKEN_URL": "https://issuer.example/t", "SIGN_OUT_URL": "",
        "SCOPES": "openid incidents:read",
    }  # fmt: skip
    assert config(environment) == {
        "issuer": "https://issuer.example",
        "authorization_endpoint": "https://issuer.example/a",
        "token_endpoint": "https://issuer.example/t",
        "end_session_endpoint": "",
        "client_id": "c",
        "scope": "openid incidents:read",
        "claims": {"tenant": "tid", "app": "azp", "scopes": ["scp", "roles"]},
    }
    assert set(json.loads(get("config")["body"])) == set(config({}))


def test_the_template_gives_the_function_every_setting_that_it_reads() -> None:
    given = templates.functions()[templates.CONSOLE]["Environment"]["Variables"]
    read = {part.split('"')[1] for part in Path(get_console.__file__).read_text().split("environment.get(")[1:]}
    assert read == set(given)


def test_the_licenses_of_all_bundled_packages_are_served() -> None:
    licenses = get("licenses.txt")["body"]
    packages = json.loads((templates.CHECKOUT / "infra" / "console" / "package.json").read_text())["dependencies"]
    for name, version in packages.items():
        assert f"{name} {version}" in licenses
    assert licenses.count("Permission is hereby granted") == len(packages)


def test_the_console_does_not_import_the_packages_of_the_other_functions() -> None:
    code = "import sys, get_console; print(*sorted(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"aws_lambda_powertools", "botocore", "pydantic", "incidents"}


def test_both_public_functions_have_the_same_constant_text() -> None:
    one, other = (folder / "constant_text.py" for folder in (FOLDER, FOLDER.parent / "documentation"))
    assert one.resolve() == other.resolve()
