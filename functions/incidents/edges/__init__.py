"""How Lambda calls us. Each edge makes a handler of an operation, and writes its log line.

``http``            the HTTP API: ``request`` and ``parameters`` come in, ``responses`` go out
``findings_queue``  SQS messages that hold events of EventBridge; ``dead_letters`` for what can never be taken
``metrics_queue``   SQS messages that name a tenant whose metrics are due
``sqs``             what both have in common: a batch of messages, each done or tried again by itself
``queues``          the client of SQS, for who sends
``stream``          records of the table's stream, in order
``schedule``        a run at its hour
"""
