"""Tests that commands print no control characters from other people's texts, and write to no file of another user."""

import json
import os
from pathlib import Path
from typing import Any, ClassVar

import pytest
from incidents_cli import console
from incidents_cli.operate import dead_letters, explain
from incidents_cli.operate.tenants.checkpoint import Checkpoint

from tests.support.templates import CHECKOUT
from tests.support.tenants import run

HOSTILE = "\x1b[2J\x9b31m\x7f\x00\u202e\u2066\u2028\x85\U000e0001\r[/y][red]:warning:"
"""ESC and CSI of C1, DEL, NUL, marks that turn the direction, line separators, a tag character, markup and an emoji."""
EVENTS = CHECKOUT / "tests" / "events"


def check(printed: str) -> None:
    unsafe = {letter for letter in printed if not letter.isprintable() and letter != "\n"}
    assert unsafe == set()
    assert "\\u001b[2J" in printed
    assert "[/y][red]:warning:" in printed


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain ünïcode 🙂 x", "plain ünïcode 🙂 x"), ("\x1b[2J", "\\u001b[2J"), ("\x9b2J", "\\u009b2J"),
        ("\x7f\x00\t\r", "\\u007f\\u0000\\u0009\\u000d"), ("a\u202eb", "a\\u202eb"), ("a\nb", "a\\u000ab"),
        ("\ud800", "\\ud800"), ("\U000e0001", "\\udb40\\udc01"),
    ],
)  # fmt: skip
def test_clean_replaces_only_what_is_not_printable(text: str, cleaned: str) -> None:
    assert console.clean(text) == cleaned
    assert console.clean("a\nb", keep="\n") == "a\nb"


def test_a_cleaned_json_text_has_the_same_meaning() -> None:
    value = {HOSTILE: [HOSTILE, "\\", '"']}
    assert json.loads(console.clean(json.dumps(value, ensure_ascii=False, indent=1), keep="\n")) == value


@pytest.mark.parametrize("way", ["step", "failure", "succeeded", "print", "say"])
def test_every_way_to_print_is_safe(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    match way:
        case "step":
            with console.step(HOSTILE, HOSTILE):
                pass
        case "failure":
            console.show_failure(console.StepFailed(HOSTILE, f"  {HOSTILE}", HOSTILE))
        case "succeeded":
            console.succeeded(HOSTILE)
        case "print":
            console.stderr.print(HOSTILE)
        case "say":
            console.say(HOSTILE)
    printed = capsys.readouterr()
    check(printed.out + printed.err)


def test_no_detail_of_a_failure_looks_like_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_failure(console.StepFailed("It failed.", "x\n✓ It succeeded.", "Try again."))
    assert capsys.readouterr().err == "✗ It failed.\n  x\n  ✓ It succeeded.\n→ Try again.\n"


class NoAccounts:
    parameters: ClassVar[dict[str, str]] = {}

    def account_map(self) -> "NoAccounts":
        return self

    def tenant_of(self, _: str) -> None:
        return None


def test_explain_prints_no_control_characters_of_an_event_or_of_a_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(explain, "Deployment", lambda *_: NoAccounts())
    monkeypatch.setattr(explain, "_arrival", lambda *_: f"by the rule {HOSTILE}")
    event = json.loads((EVENTS / "guardduty.json").read_text())
    event["detail"] |= {"title": HOSTILE, "description": HOSTILE, "id": HOSTILE}
    (tmp_path / "event.json").write_text(json.dumps(event))

    assert run(monkeypatch, "explain", str(tmp_path / "event.json")) == 0
    printed = capsys.readouterr()
    assert not [letter for letter in printed.out + printed.err if not letter.isprintable() and letter != "\n"]

    for name in ("[/y].json", "\x1b[2J\x9b[/y][red]:warning:.json"):
        (tmp_path / name.replace("/", "_")).touch()
        assert run(monkeypatch, "explain", f"{tmp_path}/{name}") == 1
        printed = capsys.readouterr()
        assert name.removeprefix("\x1b[2J\x9b") in printed.err
        assert "\x1b" not in printed.err
        assert "Traceback" not in printed.err


def test_import_prints_no_control_characters_of_columns_values_and_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    hostile = HOSTILE.replace("\x00", "").replace("\r", "").replace("\x85", "").replace("\u2028", "")
    file = tmp_path / f"{hostile.replace('/', '_')}.csv"
    file.write_text(f"title,{hostile}\nx,y\n")

    assert run(monkeypatch, "import", str(file), "--tenant", "acme", "--dry-run") == 1
    check(capsys.readouterr().err.replace("[_y]", "[/y]"))


def test_a_misuse_of_the_command_prints_no_control_characters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "\x1b[2J\x9b\u202e"
    for words in (
        ["explain", "a.json", hostile],
        ["up", "--port", hostile],
        [hostile],
        [f"--{hostile}"],
        ["import", hostile],
    ):
        assert run(monkeypatch, *words) == 2
        printed = capsys.readouterr()
        assert not [letter for letter in printed.out + printed.err if not letter.isprintable() and letter != "\n"]
        assert "Error" in printed.err


class Letters:
    """A deployment whose queue has one dead letter."""

    def __init__(self, body: str) -> None:
        self._messages = [{
            "MessageId": "m-1", "ReceiptHandle": "r", "Body": body, "Attributes": {"SentTimestamp": "1000"},
            "MessageAttributes": {name: {"StringValue": f"a\nb{HOSTILE}"} for name in ("reason", "source", "account")},
        }]  # fmt: skip
        self.outputs = {"DeadLettersUrl": "here"}

    def client(self, _: str) -> "Letters":
        return self

    def receive_message(self, **_: Any) -> dict[str, Any]:
        return {"Messages": self._messages}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": "1"}}

    def change_message_visibility(self, **_: Any) -> None:
        pass


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"x": HOSTILE}, ensure_ascii=False),
        f"no JSON {HOSTILE}",
        json.dumps({"source": f"a  column{HOSTILE}"}),
    ],
)
def test_dlq_prints_no_control_characters_of_a_dead_letter(
    body: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dead_letters, "Deployment", lambda *_: Letters(body))

    assert run(monkeypatch, "dlq", "list") == 0
    printed = capsys.readouterr()
    check(printed.out)
    assert printed.out.count("\n") == 1
    assert len(printed.out.split("  ")) == 5
    assert run(monkeypatch, "dlq", "show", "m-1") == 0
    printed = capsys.readouterr()
    check(printed.out)
    check(printed.err)


def test_ctrl_c_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    for left in ("Half is left.", lambda: "Half is left."):
        with pytest.raises(KeyboardInterrupt), console.interrupted(left):
            raise KeyboardInterrupt
        assert capsys.readouterr().err == "Stopped. Half is left.\n"


def test_a_private_file_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        (tmp_path / "old").touch(mode=0o666)
        for name in ("old", "new"):
            with console.open_private(tmp_path / name, "wb") as file:
                assert file.name == str(tmp_path / name)
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", ["w", "r+b"])
def test_a_planted_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Another user of the folder must not choose the file that a command overwrites, or own the file."""
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / "symbolic").symlink_to(precious)
    (tmp_path / "hard").hardlink_to(precious)
    os.mkfifo(tmp_path / "pipe")
    for name in ("symbolic", "hard", "pipe"):
        with pytest.raises(OSError, match=r"symbolic links|of this user"):
            console.open_private(tmp_path / name, mode)
    (tmp_path / "foreign").write_text("kept")
    with monkeypatch.context() as somebody_else:
        somebody_else.setattr(os, "geteuid", lambda: 12345)
        with pytest.raises(PermissionError, match="of this user"):
            console.open_private(tmp_path / "foreign", mode)
    assert [file.read_text() for file in (precious, tmp_path / "foreign")] == ["kept", "kept"]


def test_a_planted_checkpoint_is_not_believed(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint", tenant="acme")
    checkpoint.save({"items": 3})
    assert Checkpoint(tmp_path / "checkpoint", tenant="acme").load({"items": 0}) == {"items": 3}
    (tmp_path / "linked").symlink_to(tmp_path / "checkpoint")
    with pytest.raises(console.StepFailed, match="cannot be read"):
        Checkpoint(tmp_path / "linked", tenant="acme").load({})
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(console.StepFailed, match="cannot be read"):  # the command must not wait for a writer
        Checkpoint(tmp_path / "pipe", tenant="acme").load({})


@pytest.mark.parametrize(
    "state", ['{"items": "3"}', '{"after": 5}', "[]", '{"items": null}', "[" * 100_000, '{"after": []}']
)
def test_a_damaged_checkpoint_is_reported(tmp_path: Path, state: str) -> None:
    (tmp_path / "checkpoint").write_text(f'{{"about": {{"tenant": "acme"}}, "state": {state}}}')
    with pytest.raises(console.StepFailed, match="cannot be read"):
        Checkpoint(tmp_path / "checkpoint", tenant="acme").load({"items": 0, "after": None})


def test_a_command_writes_its_output_only_to_a_new_or_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_text("mine")
    os.mkfifo(tmp_path / "pipe")
    for name in ("new", "empty"):
        console.require_new(tmp_path / name)
    for file in (tmp_path / "full", tmp_path / "pipe", Path("/dev/null"), tmp_path):
        with pytest.raises(console.StepFailed):
            console.require_new(file)
