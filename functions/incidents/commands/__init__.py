"""What changes incidents, one verb a module: HTTP and event intake meet here.

``creating``, ``updating``, ``deleting``, and ``read_alter_write``: read, alter, write if nobody has written since.
A module of its own each, so that a deletion starts without pydantic, as a read does.
"""
