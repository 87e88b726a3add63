"""Everything that knows DynamoDB.

``keys``                 every partition key and sort key of the table, in one place
``stored_form``          incidents and changes as items
``upcasting``            items of older schema versions in the current form
``incident_repository``  one tenant's incidents
``page_reader``          one page of a tenant's list
``cursor``               a sealed position in a list
``metric_repository``    one tenant's metrics, day by day
``account_map``          from an AWS account or a producer to tenants; belongs to no tenant
``marks``                items that say "compute this again"; belong to no tenant
``dynamodb``             the one client, retries of transactions, and what a refusal raises
``guard``                refuses requests for keys of a tenant other than the one being served
``fast_path``            skips botocore's slow steps
"""
