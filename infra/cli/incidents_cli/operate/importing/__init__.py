"""`incidents import`: send the incidents of a file to the API.

``command``   the command and its options
``importer``  the two readings of the file: the first only checks, the second sends
``sending``   sends one row to the API
``progress``  records which rows are done
``checking``  checks a row and computes its key
``rows``      reads the rows of a file of either format
``repairing`` repairs what an earlier release accepted, in an exported incident
``cells``     converts the cells of a CSV file to field values
``job``       the parameters of an import, and its counts
"""
