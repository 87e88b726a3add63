"""Clients of AWS's services, each within the bounds of ``timeouts`` and of the request's deadline.

botocore and not boto3: the clients are the same, and a function that does not load the layer above starts faster. The
user agent is fixed, because botocore would put it together anew, twice for each request; and it does not look at the
parameters, which are ours and which the service looks at anyway.
"""

from typing import Any

import botocore
import botocore.session
from botocore.config import Config

from . import timeouts


def make(service: str) -> Any:
    """Return a new client; every attempt at a call of its is checked against the deadline before it begins."""
    config = Config(
        connect_timeout=timeouts.CONNECT_SECONDS,
        read_timeout=timeouts.READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": timeouts.ATTEMPTS},
        user_agent=f"grc-incidents Botocore/{botocore.__version__}",
        parameter_validation=False,
    )
    client: Any = botocore.session.get_session().create_client(service, config=config)
    events = client.meta.events
    name = client.meta.service_model.service_id.hyphenize()
    events.register_first(f"before-send.{name}", lambda **_: timeouts.check())
    events.register_first(f"needs-retry.{name}", _forget_retry_after)
    return client


def _forget_retry_after(response: Any, **_: object) -> None:
    """Keep botocore to its own pauses: an answer may ask it for five seconds, which the deadline does not have."""
    if response is not None:
        response[0].headers.pop("x-amz-retry-after", None)
