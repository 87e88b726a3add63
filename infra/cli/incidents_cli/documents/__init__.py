"""Documents generated from the service's code.

``openapi``  the OpenAPI document of the API
``costs``    the tables of docs/runbooks/costs.md
"""
