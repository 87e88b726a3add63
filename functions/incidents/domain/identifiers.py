"""The forms of ids, as regular expressions that match the whole of one."""

import re

TENANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
ACCOUNT_ID = re.compile(r"[0-9]{12}")
INCIDENT_ID = re.compile(r"inc_[0-7][0-9A-HJKMNP-TV-Z]{25}")  # a ULID: 48 bits of time, 80 of chance
