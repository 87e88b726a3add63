"""What the functions need from Lambda and AWS, other than DynamoDB.

``start``       what a function does once, before its first request
``deadline``    how long a request may wait
``sdk``         clients for AWS services
``cloudwatch``  this service's own metrics
``log``         the one logger
"""
