"""Generators of documents that must agree with the code.

``openapi``         the OpenAPI document of the API
``deadline_table``  the table of the regimes on docs/deadlines.md
``report_names``    the table of the names that reports to regulators may use
``costs``           the cost tables of docs/runbooks/costs.md
``calendars``       the holidays of the deadlines' authorities and Member States
"""
