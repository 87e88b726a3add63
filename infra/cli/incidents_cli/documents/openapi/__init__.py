"""The OpenAPI document of the API, made from the service's own code.

``operations``  the operations and the document as a whole: routes, summaries and scopes are the handlers' own
``parameters``  query parameters and headers, with the bounds of ``edges.parameters`` and ``questions``
``schemas``     the bodies: what may be sent is ``payloads``, what is answered is ``model`` and
               ``metric_definitions``
``handlers``    the functions' modules, from where they lie
``examples``    the examples: what the service's own functions make of a sample
"""

import json

from ...local.local_stack import CHECKOUT
from .operations import document

FILE = CHECKOUT / "infra" / "functions" / "documentation" / "openapi.json"


def text() -> str:
    """Return the document as it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
