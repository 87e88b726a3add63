"""Tests of the changes after which `incidents up` builds and deploys again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from incidents_cli.local import emulator, issuer, routes, sam, unchanged, up_down
from incidents_cli.local.local_stack import Stack, StackFolder

TARGET = {"PythonRuntime": "python3.13", "Architecture": "arm64"}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("functions/a.py", "functions/rules/b.json", "infra/storage.yaml", "template.yaml", "samconfig.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(unchanged, "CHECKOUT", tmp_path)
    return tmp_path


def change(name: str, text: str) -> Callable[[Path], object]:
    return lambda checkout: (checkout / name).write_text(text)


CHANGES = {
    "another text": change("functions/rules/b.json", "other"),
    "an empty file more": change("infra/new.py", ""),
    "a file less": lambda checkout: (checkout / "functions" / "a.py").unlink(),
    "another name": lambda checkout: (checkout / "functions" / "a.py").rename(checkout / "functions" / "c.py"),
    "another template": change("template.yaml", "other"),
    "another setting of SAM": change("samconfig.toml", "other"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_source_changes_the_fingerprint(checkout: Path, name: str) -> None:
    before = unchanged.fingerprint_of_build(TARGET)
    CHANGES[name](checkout)
    assert unchanged.fingerprint_of_build(TARGET) != before


def test_a_fingerprint_depends_on_the_target_but_not_on_byte_code_or_time(checkout: Path) -> None:
    before = unchanged.fingerprint_of_build(TARGET)
    (checkout / "functions" / "__pycache__").mkdir()
    (checkout / "functions" / "__pycache__" / "a.pyc").write_bytes(b"x")
    (checkout / "functions" / "a.py").touch()

    assert unchanged.fingerprint_of_build(TARGET) == before
    assert unchanged.fingerprint_of_build(TARGET | {"Architecture": "x86_64"}) != before


class Steps:
    """The steps of `incidents up` that would call SAM, and the tag of the emulator's API."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.deployed: str | None = None
        self.fails = ""

    def take(self, name: str) -> None:
        if name == self.fails:
            raise KeyboardInterrupt
        self.done.append(name)


@pytest.fixture
def steps(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps()

    def build(_: object, folder: Path, __: object) -> None:
        folder.mkdir(exist_ok=True)
        steps.take("build")

    def tag(_: Stack, fingerprint: str | None = None) -> None:
        steps.deployed = fingerprint

    monkeypatch.setenv("INCIDENTS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sam, "install", lambda: None)
    monkeypatch.setattr(sam, "build", build)
    monkeypatch.setattr(sam, "deploy", lambda *_: steps.take("deploy"))
    monkeypatch.setattr(routes, "create", lambda _: steps.take("routes"))
    monkeypatch.setattr(issuer, "publish", lambda *_: None)
    monkeypatch.setattr(emulator, "install", lambda: "python")
    monkeypatch.setattr(emulator, "start", lambda _, stack, __: stack)
    monkeypatch.setattr(emulator, "stop", lambda stack, _: stack)
    monkeypatch.setattr(emulator, "is_free", lambda _: True)
    monkeypatch.setattr(Stack, "discover", lambda stack: stack)
    monkeypatch.setattr(unchanged, "is_deployed", lambda _, fingerprint: steps.deployed == fingerprint)
    monkeypatch.setattr(unchanged, "mark_deployment", tag)
    monkeypatch.setattr(unchanged, "unmark_deployment", tag)
    monkeypatch.setattr(up_down, "newest_incident", lambda *_: None)
    return steps


def up(steps: Steps, port: int = 4566) -> list[str]:
    """Return the steps of one call of `incidents up`."""
    steps.done = []
    up_down.up(StackFolder(), port=port, fresh=False, samples=False, account_map=lambda _: pytest.fail("not reached"))
    return steps.done


EVERYTHING = ["build", "deploy", "routes"]


def test_up_builds_and_deploys_only_what_changed(checkout: Path, steps: Steps) -> None:
    assert up(steps) == EVERYTHING
    assert up(steps) == []
    assert up(steps, port=4567) == ["deploy", "routes"], "the port is in the parameters of the templates"
    (checkout / "functions" / "a.py").write_text("changed")
    assert up(steps) == EVERYTHING


@pytest.mark.parametrize("step", EVERYTHING)
def test_up_repeats_an_interrupted_step_even_if_the_change_was_undone(checkout: Path, steps: Steps, step: str) -> None:
    source = checkout / "functions" / "a.py"
    assert up(steps) == EVERYTHING
    before = source.read_text()
    source.write_text("changed")
    steps.fails = step
    with pytest.raises(KeyboardInterrupt):
        up(steps)

    steps.fails = ""
    source.write_text(before)
    assert up(steps) == (["build"] if step == "build" else EVERYTHING)
