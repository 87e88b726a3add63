"""What an incident is, and the rules that hold. Pure: no AWS, no clock.

``model``        the fields of an incident, their bounds, vocabularies and derived values
``payloads``     what a caller may send, checked: the only module that loads pydantic
``questions``    what a caller may ask for: filters, pages, windows of days
``identity``     who is calling, from verified claims alone
``json_text``    JSON in, strictly; JSON out, compactly
``wire_form``    incidents and changes as the API writes them
``metric_definitions``   the metrics, and in words what each of them is
``tally``        what incidents, days and windows add up to; ``metric_answer`` is the answer to a question
``timestamps``, ``errors``
"""
