"""One logger for all functions: JSON lines, the service's name and the level from the environment."""

from aws_lambda_powertools import Logger

logger = Logger(location=None, use_rfc3339=True, utc=True)
