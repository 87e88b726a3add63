"""One logger for all functions: JSON lines, the service's name from the environment."""

from aws_lambda_powertools import Logger

logger = Logger()
