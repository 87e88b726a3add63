"""The operator's commands. Each works on the local stack, or with ``--stack`` on one on AWS.

``accounts``      `incidents account`: which tenant an AWS account's findings belong to
``dead_letters``  `incidents dlq`: the findings that could not be taken
``explain``       `incidents explain`: what an event would become
``metrics``       `incidents metrics`; ``metrics_view`` shows them
``tenants``       `incidents verify` and `incidents tenant`: all of a tenant
``importing``     `incidents import`: incidents of a file, through the API
``deployment``    the stack that a command works on: its clients and its outputs
"""
