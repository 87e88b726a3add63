"""All code that depends on Lambda or AWS, except the code for DynamoDB.

``start``       the steps that a function runs once, before its first request
``deadline``    the time limit of a request
``sdk``         clients for AWS services
``endpoint``    the signing and sending of a client's requests
``cloudwatch``  this service's own metrics
``log``         the one logger
"""
