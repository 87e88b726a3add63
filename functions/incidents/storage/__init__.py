"""All code that depends on DynamoDB.

``keys``                 every partition key and sort key of the table, in one place
``stored_form``          incidents and changes as items
``upcasting``            the conversion of items from older schema versions
``incident_repository``  one tenant's incidents
``page_reader``          one page of a tenant's list
``feed_reader``          one page of a tenant's incidents by their last change
``evidence_reader``      one page of an incident's evidence
``deadline_repository``  heads, board rows and alerts of one tenant's incidents, and the alerts of all tenants
``board_reader``         one page of a tenant's board of deadlines
``cursor``               a sealed position in a list
``metric_repository``    one tenant's metrics, day by day
``account_map``          the tenants of AWS accounts and producers; the map belongs to no tenant
``settings``             a tenant's settings, with all their versions
``marks``                items that say "compute this again"; the marks belong to no tenant
``dynamodb``             the one client, retries of transactions, and the errors for refused requests
``guard``                the check that a request names only keys of the tenant being served
``fast_path``            a way through botocore without its slow steps
"""
