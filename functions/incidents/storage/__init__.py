"""All that knows DynamoDB.

``keys``                 every partition and sort key, drawn in one place
``stored_form``          incidents and changes as items; ``upcasting`` reads older ones
``incident_repository``  one tenant's incidents; ``page_reader`` reads their lists; ``cursor`` seals a position in one
``metric_repository``    one tenant's metrics, day by day
``account_map``, ``marks``   what belongs to no tenant
``dynamodb``             the one client; ``guard`` keeps it to whom it serves; ``fast_path`` shortens its way
"""
