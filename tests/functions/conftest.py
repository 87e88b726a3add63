"""Fixtures that run the handlers on moto.

The fixtures create the table from infra/storage.yaml. If a change of the keys in this file breaks the handlers on AWS,
the change also breaks these tests.
"""

import json
import logging
from collections.abc import Iterator

import pytest
from incidents.runtime.log import logger
from incidents_cli.documents import openapi

from tests.support import moto_table

DOCUMENTED = {
    operation["operationId"]: operation["responses"]
    for operations in json.loads(openapi.FILE.read_text())["paths"].values()
    for operation in operations.values()
}


@pytest.fixture(scope="package")
def deployed() -> Iterator[str]:
    with moto_table.deployed() as table:
        yield table


@pytest.fixture(autouse=True)
def _every_answer_is_documented() -> Iterator[None]:
    """Check after each test that the OpenAPI document has every status that an operation returned."""
    seen: set[tuple[str, int]] = set()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "request":
                seen.add((vars(record)["operation"], vars(record)["status"]))

    listener = Listener()
    logging.getLogger(logger.name).addHandler(listener)
    yield
    logging.getLogger(logger.name).removeHandler(listener)
    for operation, status in seen:
        assert str(status) in DOCUMENTED[operation], f"{operation} answers {status}, which is not documented"


@pytest.fixture(autouse=True)
def table(deployed: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of the table, which is empty before each test."""
    monkeypatch.setenv("TABLE_NAME", deployed)
    moto_table.clear(deployed)
    return deployed
