"""The size of the load tests: short for every day and for CI, or full with `pytest --full`."""

import os

FULL = os.environ.get("INCIDENTS_TESTS_FULL") == "1"  # --full sets it before any test module is loaded


def of(*, short: int, full: int) -> int:
    return full if FULL else short
