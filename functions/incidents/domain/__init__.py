"""What an incident is, and the rules that hold. Pure: no AWS, no clock.

``model``        the fields of an incident, their bounds, vocabularies and derived values
``payloads``     what a caller may send, checked: the only module that loads pydantic
``filters``      what a list may be narrowed by
``identity``     who is calling, from verified claims alone
``identifiers``  the forms of ids
``json_text``    JSON in, strictly; JSON out, exactly
``wire_form``    incidents and changes as the API writes them
``metrics``      MTTD, MTTR and time to contain: what days add up to
``timestamps``, ``errors``
"""
