"""The operator's commands. Each works on the local stack, or with ``--stack`` on a stack on AWS.

``accounts``      `incidents account`: the tenant of each AWS account's findings
``dead_letters``  `incidents dlq`: the messages that could not be processed
``explain``       `incidents explain`: the incident that an event would become
``metrics``       `incidents metrics`; ``metrics_view`` prints and draws them
``tenants``       `incidents verify` and `incidents tenant`: all items of a tenant
``importing``     `incidents import`: incidents from a file, through the API
``deployment``    the stack that a command works on: its clients and its outputs
"""
