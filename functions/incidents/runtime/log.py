"""The one logger of all functions. It writes JSON lines. Environment variables set the service's name and the level."""

from aws_lambda_powertools import Logger

logger = Logger(location=None, use_rfc3339=True, utc=True)
