"""The entry points that Lambda calls. Each edge turns an operation into a Lambda handler and writes its log line.

``http``            the HTTP API
``request``         an HTTP request: caller, headers, body
``parameters``      the parameters of a query string
``responses``       answers and problem documents
``findings_queue``  SQS messages that contain EventBridge events
``dead_letters``    the queue for events that can never be accepted
``metrics_queue``   SQS messages that each name a tenant with marked days
``sqs``             the code for both queues: a batch of messages, each handled or retried on its own
``queues``          the SQS client for sending messages
``stream``          records of the table's stream, in order
``schedule``        a scheduled run of the metrics
``deadline_schedule``  a scheduled run that updates the board of deadlines, and announces deadlines
``history_schedule``   a scheduled run that seals the histories, or an operator's order to seal one
"""
