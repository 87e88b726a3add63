"""The OpenAPI document of the API, generated from the service's code.

``operations``  the complete document and its operations; routes and scopes come from the handlers
``parameters``  query parameters and headers, with the bounds of ``edges.parameters`` and ``questions``
``schemas``     the bodies: requests from ``payloads``, answers from ``model`` and ``metric_definitions``
``handlers``    loads the handlers' modules by their path
``examples``    examples: the results of the service's own functions for a sample
"""

import json

from ...local.local_stack import CHECKOUT
from .operations import document

FILE = CHECKOUT / "infra" / "functions" / "documentation" / "openapi.json"


def text() -> str:
    """Return the document as JSON, exactly as it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
