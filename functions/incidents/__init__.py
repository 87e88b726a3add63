"""The package that all functions share, in rooms. Imports point down: a room imports what stands below it, never above.

``edges``      how Lambda calls us: HTTP, SQS, the table's stream, schedules. They write the log line.
the services   what the service does, one verb a function: ``commands`` change incidents, ``queries`` read them,
               ``intake`` makes them of findings, ``publishing`` tells others, ``following`` marks what must be computed
               anew, ``metric_jobs`` compute it.
``findings``   one adapter a source: from its event to a finding.
``storage``    all that knows DynamoDB: keys, stored form, repositories, the guard, the client.
``runtime``    what Lambda gives and takes: SDK clients, the deadline, CloudWatch, the log.
``domain``     what an incident is, and the rules: pure, without AWS and without a clock.

``tests/agreements/test_rooms.py`` holds this order: no import up, no circle, none hidden inside a function.

To import a module defines things and does nothing else. The collector's threshold, set here, is the one exception: it
must come before whatever a start loads. At the usual 700 the import of a read is interrupted by 69 collections, at
20 000 by two.
"""

import gc

# A start makes much that stays, and a list much that dies with its request: it would look through both again and again.
gc.set_threshold(20_000)
