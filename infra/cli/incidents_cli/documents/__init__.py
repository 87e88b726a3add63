"""Generators of documents that must agree with the code.

``openapi``      the OpenAPI document of the API
``costs``        the cost tables of docs/runbooks/costs.md
``calendars``    the holidays of the deadlines' authorities and Member States
"""
