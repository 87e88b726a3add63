"""The package that all functions share, divided into rooms. A room imports only from the rooms below it in this list.

``edges``      the entry points that Lambda calls: HTTP, SQS, the table's stream, schedules. Edges write the log line.
the services   what the service does, one verb per function:
               ``commands``     change incidents
               ``queries``      read incidents and their changes
               ``intake``       turns findings into incidents
               ``publishing``   sends an event for each change of an incident
               ``following``    marks the days whose metrics a change affects
               ``metric_jobs``  compute the metrics of the marked days
``findings``   one adapter per source, from the source's event to findings
``storage``    everything that knows DynamoDB: keys, stored form, repositories, the guard, the client
``runtime``    everything else that touches Lambda and AWS: SDK clients, the deadline, CloudWatch, the log
``domain``     what an incident is, and its rules. Pure: no AWS, no clock.

``tests/agreements/test_rooms.py`` enforces this order. It rejects an import from a higher room, an import cycle and an
import inside a function.

Importing a module only defines names. The one exception is the garbage collector's threshold: it is set here because
it must come before everything that a start loads. With Python's default of 700, the imports of a read trigger 69
collections; with 20 000, they trigger two.
"""

import gc

# A start creates many objects that stay, and a list creates many that die with the request. Frequent collections would
# scan both in vain.
gc.set_threshold(20_000)
