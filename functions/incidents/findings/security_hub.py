"""Functions for both formats of Security Hub. They return a finding's product, key, type and category."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from . import guardduty, macie
from .finding import composed_key

SOURCE = "aws.securityhub"
INSPECTOR = "aws.inspector2"

_PRODUCT = re.compile(r".*\bproduct(?:v2)?/([^/:]+)/([^/:]+)")
_OTHER_NAMES = {"inspector": "inspector2"}  # products whose name in Security Hub differs from the event source
# ASFF writes TTPs/Initial Access/UnauthorizedAccess:EC2-SSHBruteForce.
# OCSF writes UnauthorizedAccess:EC2/SSHBruteForce.
_TYPE = re.compile(r"(?:\A|/)([A-Za-z]+):([^/-]+)(?=[/-].)", re.DOTALL)  # up to the separator, so that it is linear
_CATEGORIES = {
    "Software and Configuration Checks": "misconfiguration",
    "Exposure": "misconfiguration",
    "Sensitive Data Identifications": "policy_violation",
    "TTPs": "unauthorized_access",
    "Unusual Behaviors": "unauthorized_access",
}
"""The category of each namespace of ASFF types. Products without their own table use this table."""


class Product(NamedTuple):
    """The product that found the problem.

    ``source`` is the incident's source. ``is_aws`` is true for a product of AWS. Only AWS can send an ARN of AWS.
    """

    source: str
    is_aws: bool


def product(product_arn: str | None) -> Product:
    """Return the product of an ARN like ``...:product/aws/guardduty`` or ``...:productv2/aws/guardduty``.

    A customer's own finding has an account id as the company and no product name. Its source is Security Hub itself.
    """
    match = _PRODUCT.fullmatch(product_arn or "")
    if match is None or match[1].isdecimal():
        return Product(SOURCE, is_aws=False)
    company, name = match.groups()
    if company == "aws":
        return Product(f"aws.{_OTHER_NAMES.get(name, name)}", is_aws=True)
    return Product(f"{company}.{name}", is_aws=False)


def key(who: Product, product_arn: str, account_id: str, finding_id: str, kind: str | None, bucket: str | None) -> str:
    """Return a finding's key. The product's own event and both formats of Security Hub give the same key."""
    if who == Product(macie.SOURCE, is_aws=True):
        return macie.key(account_id, finding_id, kind, bucket)
    if who.is_aws and finding_id.startswith("arn:"):
        return finding_id
    return composed_key(SOURCE, account_id, product_arn.replace(":productv2/", ":product/"), finding_id)


def finding_type(types: Sequence[str]) -> str | None:
    """Return a finding's type in the form of the product's own events.

    If no type can be converted to that form, return the first type unchanged. Return None without types.
    """
    for name in types:
        if matches := list(_TYPE.finditer(name)):
            last = matches[-1]
            return f"{last[1]}:{last[2]}/{name[last.end() + 1 :]}"
    return types[0] if types else None


def category(who: Product, types: Sequence[str]) -> str | None:
    """Return the category of a finding, or None.

    It is the same category as in the product's own event. Other products get the category of the type's namespace.
    """
    kind = finding_type(types)
    if who.source == guardduty.SOURCE:
        return guardduty.category(kind)
    if who.source == macie.SOURCE:
        return macie.category(kind)
    return next((_CATEGORIES[space] for name in types if (space := name.partition("/")[0]) in _CATEGORIES), None)


def is_sample(who: Product, title: str) -> bool:
    return who.is_aws and guardduty.is_sample_title(title)
