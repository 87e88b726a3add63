"""Generate the OpenAPI document of the API from the service's code.

``operations``  the complete document and its operations, with the routes and scopes of the handlers
``answers``     the headers of answers, and the answers for errors
``parameters``  the query parameters and headers, with the limits of ``edges.parameters`` and ``questions``
``schemas``     the bodies of requests from ``payloads``, and of answers from ``model`` and ``metric_definitions``
``deadlines``   the bodies of reports and of their deadlines
``metrics``     the body of the metrics
``problems``    the bodies of errors from ``errors``, and the gateway's own
``handlers``    loads the handlers' modules by their path
``json_schema`` the parts of JSON Schema that all these modules use
``examples``    computes examples with the service's own functions, from a sample incident
"""

import json

from ...local.local_stack import CHECKOUT
from .operations import document

FILE = CHECKOUT / "infra" / "functions" / "documentation" / "openapi.json"


def text() -> str:
    """Return the OpenAPI document as JSON, in the form of the committed file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
