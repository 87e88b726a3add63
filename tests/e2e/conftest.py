"""What the suites on the local stack share."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tests.support.checkout import Checkout


@pytest.fixture(scope="session")
def aws(stack: Checkout) -> Callable[[str], Any]:
    """Make a client of the emulator, as its administrator."""
    status = stack.status
    session: Any = boto3.Session(status["access_key_id"], status["secret_access_key"], region_name=status["region"])
    return lambda service: session.client(service, endpoint_url=status["endpoint_url"])
