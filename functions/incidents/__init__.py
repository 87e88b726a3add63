"""The package that all functions share.

The package is divided into rooms. A room imports only from the rooms below it in this list:

``edges``      the entry points that Lambda calls: HTTP, SQS, the table's stream, schedules. Edges write the log line.
the services   the tasks of the service:
               ``commands``     change incidents
               ``queries``      read incidents and their changes
               ``feed``         reads incidents by their last change, so that a caller can follow the changes
               ``evidence``     reads the findings of an incident: the events as they were received
               ``incident_deadlines``  computes the due dates of the reports about an incident
               ``deadline_board``  reads the incidents with open deadlines, in the order of their dates
               ``deadline_jobs``  updates the board of deadlines, and announces deadlines that approach or were missed
               ``intake``       turns findings into incidents
               ``reports``      reads the findings in an event, also by a tenant's mapping
               ``publishing``   sends an event for each change of an incident
               ``following``    marks the days and the incidents whose metrics or deadlines a change affects
               ``metric_jobs``  compute the metrics of the marked days
               ``sealing``      writes signed manifests of the histories of the marked tenants
               ``manifest_store``  the bucket of the manifests, and the key that signs them
``findings``   one adapter per source, from the source's event to findings
``storage``    all code that depends on DynamoDB: keys, stored form, repositories, the guard, the client
``runtime``    all other code that depends on Lambda or AWS: SDK clients, the deadline, CloudWatch, the log
``domain``     the definition of an incident, and the rules for incidents. Pure code, without AWS and without a clock.

``tests/agreements/test_rooms.py`` enforces this order. It rejects an import from a higher room, an import cycle and an
import inside a function.

Importing a module must only define names. This module is the one exception: it sets the threshold of the garbage
collector, because the threshold must be set before the other imports. With Python's default of 700, the imports of a
function that reads trigger 69 collections. With 20 000, the imports trigger two.
"""

import gc

# The imports create many objects that are never freed. A list request creates many objects that are freed without the
# collector when the request ends. Frequent collections would scan these objects and find nothing to free.
gc.set_threshold(20_000)
