"""Each condition of the templates is tried both ways by the linters: `uv run python -m tests.support.lint`."""

import json

from tests.support import rendered, templates


def test_every_condition_is_tried_both_ways() -> None:
    for path in rendered.PATHS:
        ways = list(rendered.every_way(path))
        assert all("Fn::If" not in json.dumps(template) for _, template in ways)
        for condition in templates.read(path).get("Conditions", {}):
            assert {truth[condition] for truth, _ in ways} == {True, False}, condition
