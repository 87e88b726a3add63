"""Tests `incidents deadlines settings` with stored settings that this release refuses.

The commands keep all stored settings, and name each fault.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from incidents.domain.deadlines import rules
from incidents.storage.settings import DEADLINES, Settings
from incidents_cli.console import StepFailed
from incidents_cli.main import cli
from incidents_cli.operate import deadlines
from typer.testing import CliRunner, Result

from tests.functions.test_regulatory_reports import OWN

BROKEN = OWN | {"id": "contract-8", "aliases": ["GDPR"]}  # a later release has a regime with this name
OLD: dict[str, Any] = {"zone": "Europe/Gone", "member_state": "FR", "facts": {"dora_exempt": True, "bank": True},
       "regimes": {"xx-gone": "off", "eu-gdpr": "off", "contract-7": "on"}, "rules": [BROKEN, OWN, "x", {"id": ["y"]}],
       "channels": ["mail"]}  # fmt: skip
DEFAULTS = rules.Settings().to_json()


class Held:
    """A tenant's settings in memory, with the methods of ``Deployment`` and of ``TenantSettings`` that the commands
    call.
    """

    def __init__(self, value: Any) -> None:
        self.versions = [] if value is None else [Settings(value, 1, "2026-11-20T00:00:00.000Z", "ada")]

    @contextmanager
    def settings_of(self, _tenant_id: str) -> "Iterator[Held]":
        yield self

    def read(self, name: str, version: int | None = None) -> Settings | None:
        assert name == DEADLINES
        return self.versions[(version or 0) - 1] if self.versions else None

    def write(self, _name: str, settings: Settings) -> None:
        self.versions.append(settings)

    def caller(self) -> str:
        return "ada"

    @property
    def value(self) -> Any:
        return self.versions[-1].value


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    made = Held(OLD)
    monkeypatch.setattr(deadlines, "Deployment", lambda *_: made)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["deadlines", "settings", *arguments, "--tenant", "acme"])


def words(result: Result) -> str:
    """Return the messages of a command, without line breaks."""
    return " ".join(result.stderr.split())


def test_show_prints_what_is_stored_and_names_each_fault(held: Held) -> None:
    shown = run("show")
    assert shown.exit_code == 0, shown.stderr
    assert json.loads(shown.stdout) == OLD
    told = words(shown)
    for fault in (
        "setting `channels` is not known", "setting `zone` is not known", "setting `facts` is not known",
        "setting `rules[2]` is not known",
        "The service ignores the rule `contract-8`: the tenant's own rule cannot be read: rules: the name gdpr is "
        "taken by another regime.",
        "The service ignores the switch of `xx-gone`, because it knows no such regime.",
        "version 1 2026-11-20T00:00:00.000Z ada",
    ):  # fmt: skip
        assert fault in told
    assert "contract-7" not in told


def test_show_without_settings_prints_the_defaults(held: Held) -> None:
    held.versions.clear()
    shown = run("show")
    assert json.loads(shown.stdout) == DEFAULTS
    assert "ignores" not in shown.stderr


@pytest.mark.parametrize(("option", "member", "value"), [
    (("--zone", "Europe/Paris"), "zone", "Europe/Paris"), (("--zone", "none"), "zone", None),
    (("--member-state", "DE"), "member_state", "DE"),
    (("--not-dora-exempt",), "facts", {"dora_exempt": False, "bank": True}),
    (("--off", "NIS2", "--on", "Contract 7"), "regimes", OLD["regimes"] | {"eu-nis2": "off"}),
    (("--off", "xx-gone-not",), None, None),
])  # fmt: skip
def test_one_setting_changes_and_all_others_stay_as_they_are_stored(
    held: Held, option: tuple[str, ...], member: str | None, value: Any
) -> None:
    done = run("set", *option)
    if member is None:
        assert "xx-gone-not" in str(vars(done.exception))
        assert held.value == OLD
        return
    assert done.exit_code == 0, done.exception
    assert held.value == DEFAULTS | OLD | {member: value}
    assert json.loads(done.stdout) == held.value
    assert "setting `channels` is not known" in words(done)


def test_a_regime_cannot_be_switched_on_and_off_at_once(held: Held) -> None:
    refused = run("set", "--on", "NIS2", "--on", "GDPR", "--off", "eu-nis2")
    assert str(refused.exception) == "A regime cannot be both on and off."
    assert held.value == OLD


def test_new_rules_replace_the_broken_ones_and_take_their_switches_along(held: Held, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps([OWN | {"id": "contract-9", "aliases": []}]))
    done = run("set", "--rules", str(file))
    assert done.exit_code == 0, done.exception
    assert [rule["id"] for rule in held.value["rules"]] == ["contract-9"]
    assert held.value["regimes"] == {"xx-gone": "off", "eu-gdpr": "off"}
    assert "The switch of `contract-7` was removed, because its rule was removed." in words(done)

    file.write_text(json.dumps([OWN | {"aliases": ["GDPR"]}]))
    refused = run("set", "--rules", str(file))
    assert "the name gdpr is taken" in str(vars(refused.exception))
    assert [rule["id"] for rule in held.value["rules"]] == ["contract-9"]


def test_settings_that_are_too_large_are_refused(held: Held, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps([OWN | {"id": f"c-{n}", "aliases": ["x" * 400 + f" {n} {m}" for m in range(20)]}
                                for n in range(40)]))  # fmt: skip
    assert "At most 256 KiB can be stored." in str(run("set", "--rules", str(file)).exception)
    assert held.value == OLD


def test_defaults_drop_what_is_stored(held: Held) -> None:
    assert run("set", "--defaults").exit_code == 0
    assert held.value == DEFAULTS


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[" * 100_000 + "]" * 100_000, "line 1: this line is inside more than 500 lists and objects"),
        ('[\n{"id": "a",\n"id": "b"}]', "line 3: the name id occurs twice in one object"),
        ('["\\ud800"]', "half a surrogate pair"),
        ("[NaN]", "NaN is not JSON"),
        ("[", "Expecting value"),
    ],
)
def test_a_file_that_is_no_json_of_rules_is_refused(held: Held, tmp_path: Path, text: str, part: str) -> None:
    file = tmp_path / "rules.json"
    file.write_text(text)
    before = held.value
    refused = run("set", "--rules", str(file))
    assert isinstance(refused.exception, StepFailed)
    assert part in f"{refused.exception} {refused.exception.detail}"
    assert held.value == before
