"""The commands that change incidents, for HTTP and for the intake.

``creating``           create an incident
``updating``           change or restore an incident
``deleting``           delete an incident
``own_rules``          the names of a tenant's own rules for reports
``read_alter_write``   read an incident, alter it, and write it if nobody else has changed the incident meanwhile

The modules are separate, so that a deletion does not import pydantic. Its import would slow down the start. A read does
not import pydantic either.
"""
