"""What the suites on the local stack share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from incidents_cli.local import emulator, routes, sam, up_down
from incidents_cli.local.local_stack import Stack, StackFolder

from tests.support.checkout import Checkout, free_port
from tests.support.user_pool import Pool


@pytest.fixture(scope="session")
def aws(stack: Checkout) -> Callable[[str], Any]:
    """Make a client of the emulator, as its administrator."""
    status = stack.status
    session: Any = boto3.Session(status["access_key_id"], status["secret_access_key"], region_name=status["region"])
    return lambda service: session.client(service, endpoint_url=status["endpoint_url"])


@pytest.fixture(scope="session")
def pool(stack: Checkout, tmp_path_factory: pytest.TempPathFactory, http: httpx.Client) -> Iterator[Pool]:
    """The same build once more, deployed with a user pool and, as on AWS, with versions of its functions."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("INCIDENTS_HOME", str(tmp_path_factory.mktemp("home")))
        home = StackFolder()
    home.make()
    deployed = emulator.start(emulator.install(), Stack(free_port()), home)
    with_pool = {"CreateUserPool": "true", "JwtIssuer": "", "MachineTenantId": "acme", "MachineAppId": "soc-portal"}

    def deploy(**parameters: str) -> Stack:
        given = up_down.parameters(deployed, sam.host_parameters()) | with_pool | parameters
        sam.deploy(deployed, given, Path(stack.home) / "build", home.logs / "deploy.log", versions=True)
        found = deployed.discover()
        routes.create(found)
        return found

    try:
        yield Pool(deploy(), home, http, deploy)
    finally:
        emulator.stop(deployed, home)
