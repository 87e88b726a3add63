"""Kills runs of the job that seals histories, with the table on DynamoDB Local. The bucket is on moto."""

from collections.abc import Callable, Iterator
from typing import Any

import botocore.client
import pytest
from incidents.domain import manifests
from incidents.storage import keys
from moto import mock_aws

from tests.functions.test_seal_history import created, kms, marked, patched, run  # noqa: F401  # kms is a fixture
from tests.support.history_world import LocalKms, check


class Killed(BaseException):
    """The end of a run at a call of AWS. It is not an Exception, so no code can handle it."""


@pytest.fixture
def table(service: str) -> Iterator[str]:
    """Yield the name of the table on DynamoDB Local. moto imitates all other services."""
    with mock_aws(config={"core": {"passthrough": {"services": ["dynamodb"]}, "mock_credentials": False}}):
        yield service


def test_after_a_kill_at_any_call_the_next_run_leaves_a_valid_chain(
    kms: LocalKms,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kill a run after its first call, then after its second call, and so on, until a run ends by itself."""
    monkeypatch.setattr(manifests, "ENTRIES", 2)
    monkeypatch.setattr(keys, "SEALS", keys.SEALS._replace(shards=1))  # so that fewer calls only read marks
    ids = [created() for _ in range(3)]
    run()
    kills = 0
    while True:
        patched(ids[kills % 3], title=f"title {kills}")
        with killing(monkeypatch, kms, kills) as was_killed:
            try:
                run()
            except Killed:
                kills += 1
        if was_killed():
            report = check("acme", kms.key)
            assert report.faults == []
            assert marked() == ["acme"] or not report.unsealed
        assert run() in ({"computed": 1}, {})
        report = check("acme", kms.key)
        assert (report.faults, report.unsealed, marked()) == ([], 0, [])
        if not was_killed():
            break
    assert kills == 10, "the marks, the newest manifest, two reads of the index, two manifests, and the mark's removal"


class killing:  # noqa: N801  # it is used like a function
    """Kill the run in this context after its call of AWS with a number, which begins at 0."""

    def __init__(self, patch: pytest.MonkeyPatch, kms: LocalKms, number: int) -> None:  # noqa: F811
        self._patch, self._kms, self._number = patch, kms, number
        self._count = 0
        self._killed = False

    def __enter__(self) -> Callable[[], bool]:
        self._context = self._patch.context()
        patch = self._context.__enter__()
        client: Any = botocore.client.BaseClient
        patch.setattr(client, "_make_api_call", self._counted(client._make_api_call))
        patch.setattr(self._kms, "sign", self._counted(self._kms.sign))
        return lambda: self._killed

    def __exit__(self, *_: object) -> None:
        self._context.__exit__(None, None, None)

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            answer = call(*arguments, **named)
            self._count += 1
            if self._count == self._number + 1:
                self._killed = True
                raise Killed
            return answer

        return counted
