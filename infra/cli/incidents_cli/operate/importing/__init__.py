"""The command `incidents import`, which sends the incidents of a file to the API.

``command``   the command and its options
``importer``  reads the file twice: first to check all rows, then to send the valid rows
``sending``   sends one row to the API
``calling``   calls the API in several threads
``progress``  records the rows that are done; ``former_progress`` reads the record of release 0.1.0
``checking``  checks a row and computes its idempotency key
``rows``      reads the rows of a CSV file, a workbook or a JSON Lines file
``tables``    reads the records of a CSV file or of a workbook, whatever its encoding and separator are; the process
              ``workbook_process`` reads the workbook
``limits``    the limits of a row, in all formats
``formats``   finds the numbers of a workbook that are shown with a unit, as a percentage or with leading zeros
``repairing`` repairs values of an exported incident that only an earlier release accepted
``cells``     converts the cells of a CSV file to field values
``lists``     divides a cell into the items of a list
``convert``   converts the records of another program's export to field values, by a mapping
``ends``      corrects or completes the dates of containment and closing
``mapping``   a mapping: how columns and values become fields of an incident; ``presets/`` has ready ones
``suggesting`` proposes a mapping for a file; ``choosing`` chooses the field of each column
``misleading`` removes the fields of columns whose names mislead
``bad_cells`` tells which cells are probably wrong
``facts``     reads the facts of a file for which a mapping is proposed
``words``     the meanings of the names and values in other programs' columns
``names``     finds the meaning of a column's name by its complete words
``moments``   reads dates as other programs write them
``clocks``    reads times of day from a column next to a column of dates
``amounts``   reads amounts as people write them
``reasons``   sums up the errors of many rows by reason
``job``       the parameters of an import, and the numbers of rows by result
"""
