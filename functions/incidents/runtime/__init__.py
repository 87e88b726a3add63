"""What Lambda gives and takes.

``start``       what a function does once, before its first request
``deadline``    how long anything may wait
``sdk``         clients of AWS's services
``cloudwatch``  metrics of our own
``log``         the one logger
"""
