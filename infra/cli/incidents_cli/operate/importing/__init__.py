"""`incidents import`: incidents of a file, through the API.

``command``   the command and its options
``importer``  two readings of the file: one only looks, one sends
``sending``   one row through the API
``progress``  which rows are done
``checking``  whether a row is right, and its key
``rows``      the rows of a file, whatever its form
``cells``     the texts of a CSV file as the values of their fields
``job``       what an import is to do, and what came of it
"""
