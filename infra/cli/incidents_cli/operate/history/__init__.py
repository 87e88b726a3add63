"""The commands that prove the history of a tenant with signed manifests, and write an auditor's pack.

``commands``         `incidents history` seals and checks a history
``audit``            `incidents audit` prints who changed what, and writes an auditor's pack
``proofs``           checks the proof of an erasure before it is sealed
``pack``             the files of an auditor's pack
``manifest_bucket``  reads the manifests of a tenant from the bucket
``verify_history``   the check without AWS, as a program of its own; README.md describes its formats
"""
