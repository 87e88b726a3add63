"""The command `incidents import`, which sends the incidents of a file to the API.

``command``   the command and its options
``importer``  reads the file twice: first to check all rows, then to send the valid rows
``sending``   sends one row to the API
``progress``  records the rows that are done
``checking``  checks a row and computes its idempotency key
``rows``      reads the rows of a CSV or JSON Lines file
``repairing`` repairs values of an exported incident that only an earlier release accepted
``cells``     converts the cells of a CSV file to field values
``job``       the parameters of an import, and the numbers of rows by result
"""
