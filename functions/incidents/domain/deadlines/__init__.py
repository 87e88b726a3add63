"""Compute the due dates of reports to regulators from rules that are data. This code is pure.

Only the functions that show deadlines or store board entries import this package. Its results are not legal advice.

``rules.json``              the regimes with their stages, anchors, terms, citations and sources
``rules.v1.schema.json``    the form of ``rules.json`` and of a tenant's own rules
``calendars.json``          the holidays of the authorities and of the Member States; `incidents calendars` generates it
``rules``                   the regimes of a tenant: the release's rules, the tenant's own rules, and the switches
``calendars``               working days
``arithmetic``              one due date: a term from an anchor, in a zone, with a calendar
``starts``                  the beginnings of terms: facts, or the assumptions of a projection
``clocks``                  the states of the stages of one report
``assessment``              the deadlines of an incident, in the API's answer
``alerts``                  the times at which to announce that a report is due soon or was missed
``keeping``                 the board entry of an incident, and the dates that the alerts job watches
``wording``                 the reason for a due date, in words
``history``                 the due dates after each change of an incident
"""
