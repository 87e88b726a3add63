"""Tests that the linters try each condition of the templates with both values.

`uv run python -m tests.support.lint` runs the linters.
"""

import json

from tests.support import rendered, templates


def test_the_linters_try_every_condition_with_both_values() -> None:
    for path in rendered.PATHS:
        ways = list(rendered.every_way(path))
        assert all("Fn::If" not in json.dumps(template) for _, template in ways)
        for condition in templates.read(path).get("Conditions", {}):
            assert {truth[condition] for truth, _ in ways} == {True, False}, condition
