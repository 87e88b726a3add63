"""The definition of an incident, and the rules for incidents. This code is pure: it uses no AWS and no clock.

``model``               the fields of an incident, their limits, allowed values and derived values
``payloads``            validation of callers' input. Only this module and ``lists`` load pydantic
``lists``               the lists in what a caller sends, and the operators that edit a list
``questions``           the requests of a caller: filters, pages, windows of days
``identity``            the caller's identity, from verified claims only
``event_json``          reads a received event, and marks numbers and names that Python would lose
``json_text``           strict reading of JSON, compact writing of JSON
``wire_form``           incidents and changes in the API's JSON
``manifests``           the signed files that prove the history of a tenant
``intake_policy``       decides which findings become incidents, by a tenant's settings
``evidence``            the event of a finding, as it is stored
``summary``             the main facts about a finding, from its event
``metric_definitions``  the metrics, and their definitions in words
``tally``               the totals of incidents, days and windows
``metric_answer``       the answer to a request for metrics
``reports``             the field with the reports to regulators
``report_names``        the names that this field may use; generated from the rules
``deadlines``           the due dates of reports to regulators; only the functions that show deadlines load it
``board_entry``         the entry of an incident on the board of deadlines; this module does not load the rules
``timestamps``          callers' timestamps as UTC text
``texts``               the characters of callers' texts, and the repair of texts from findings and exports
``errors``              everything that can go wrong, as one tree
"""
