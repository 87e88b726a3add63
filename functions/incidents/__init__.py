"""The one package that all functions share. In the order in which a request meets it:

``http_api``       the HTTP edge: event to request, identity and scope checks, errors to problem documents
``event_queue``    the event edge: SQS messages to findings, dead letters for what can never be taken
``messages``       the queue edge beneath it: each message done or tried again by itself
``stream``         the stream edge: changes of the table to what is announced
``identity``       who is calling, from verified claims alone
``commands``       what changes incidents; ``drafts`` checks what callers send (the only user of pydantic)
``intake``         what becomes of a finding; ``findings`` reads events, one adapter a source
``publishing``     what tells others; ``announcing`` says what there is to tell
``metrics``        MTTD, MTTR and time to contain: their jobs, their buckets, their answer
``queries``        what reads them; ``filters`` reads a list's parameters, ``cursor`` seals its position
``repository``     one tenant's incidents in DynamoDB; ``listing`` reads pages for it
``system_repository``   what belongs to no tenant: the account map
``dynamodb``       the client; ``guard`` keeps it to whom it serves
``aws_clients``    how every client is made; ``timeouts`` keep them within the request's deadline
``measures``       what CloudWatch is told
``items``          the stored form; ``upcasting`` reads older ones
``keys``           every partition and sort key, drawn in one place
``model``          the fields of an incident, their bounds, vocabularies and derived values
``timestamps``, ``json_text``, ``errors``, ``observability``   what all of them use

Imports point down this list, never up. ``model``, ``keys``, ``timestamps``, ``errors`` and ``findings`` import no AWS
and read no clock.
"""

import gc

# A start makes much that stays, and a list much that dies with its request: at the usual 700 the collector would
# look through both again and again.
gc.set_threshold(20_000)
