"""The operator's commands. Each command uses the local stack or, with ``--stack``, a stack on AWS.

``accounts``      `incidents account` edits the account map, which gives the findings of an AWS account to a tenant
``dead_letters``  `incidents dlq` lists, shows and resends messages that could not be processed
``explain``       `incidents explain` prints how the service would process an event
``deadlines``     `incidents deadlines` shows the due dates of reports, the rules, and the settings of a tenant
``intake``        `incidents intake` shows and sets the policy for the findings that become incidents of a tenant
``mappings``      `incidents intake` stores and removes mappings for events of partners
``mapping_trial`` `incidents intake try` prints the incident of an event by a mapping, and the lines that find nothing
``json_files``    reads JSON files that an operator names
``json_lines``    finds lines in a JSON text
``incident_list`` `incidents list` prints the incidents that match filters, from the API
``incident_follow`` `incidents follow` prints the incidents that change, from the API
``metrics``       `incidents metrics` shows metrics and starts their computation
``metrics_view``  prints metrics as tables, and draws them as a picture
``tenants``       `incidents verify` and `incidents tenant` check, export or erase all items of a tenant
``history``       `incidents history` and `incidents audit` prove the history of a tenant
``importing``     `incidents import` sends the incidents of a file to the API
``api``           the API's address, a token and a client for it, for the commands that call the API
``deployment``    the clients and the outputs of the stack that a command uses
"""
