"""The commands that change incidents, for HTTP and for the intake. One verb per module.

``creating``
``updating``
``deleting``
``read_alter_write``   read an incident, alter it, and write it if nobody else has written since

The modules are separate so that a deletion starts without pydantic, as a read does.
"""
