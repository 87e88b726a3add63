"""The code for both formats of Security Hub: a finding's product, key, kind and category."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..domain import model
from ..domain.intake_policy import Kind
from . import access_analyzer, guardduty, macie
from .categories import category_of
from .finding import composed_key
from .finding_types import names_of
from .kinds import kind_of
from .nodes import Node

SOURCE = "aws.securityhub"

_OTHER_NAMES = {"inspector": "inspector2"}  # products whose name in Security Hub differs from the event source
_NO_WORD = re.compile(r"[^a-z0-9._-]+")
_RESERVED = ("aws.", "edm", "grc.incidents", "grc-incidents")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_CONSOLIDATED = re.compile(r"arn:[^:/]*:securityhub:[^:/]*:[0-9]{12}:security-control/[^/]+/finding/[^/]+")
_SAMPLE_NAMES = ("GeneratedFinding", "macie-sample-finding-bucket")


class Product(NamedTuple):
    """The product that found the problem.

    ``source`` is the incident's source. ``is_aws`` is true for a product of AWS. Only AWS can send an ARN of AWS.
    """

    source: str
    is_aws: bool


class HubFinding(NamedTuple):
    """The facts of a finding that its key, kind and category depend on, in the same form for ASFF and for OCSF.

    ``finding_class`` is a class of ``kinds``. ``control`` is the id of a checked control, such as ``S3.8``.
    ``resource`` is the first resource. ``bucket`` is the first S3 bucket.
    """

    product: Product
    product_arn: str
    account_id: str
    finding_id: str
    finding_class: str
    types: Sequence[str]
    control: str | None
    resource: str | None
    bucket: str | None
    cves: Sequence[str]


def product(product_arn: str, company: str | None, name: str | None) -> Product:
    """Return the product of an ARN like ``...:product/aws/guardduty`` or ``...:productv2/aws/guardduty``.

    A customer's own finding has an account id in the place of the company. Then the source is made from the
    finding's own ``company`` and ``name``. If this source looks like a source of AWS or of this service, it gets the
    prefix ``own.``. So a customer's finding cannot pose as a finding of AWS or of this service.
    """
    place = product_arn.rpartition(":")[2].split("/")
    if len(place) == 3 and place[0] in ("product", "productv2") and all(place) and not place[1].isdecimal():
        if place[1] == "aws":
            return Product(f"aws.{_OTHER_NAMES.get(place[2], place[2])}", is_aws=True)
        return Product(f"{place[1]}.{place[2]}", is_aws=False)
    words = [_NO_WORD.sub("-", (word or "").lower()).strip("-.") for word in (company, name)]
    source = ".".join(word for word in words if word) or "own.product"
    if source.startswith(_RESERVED) or source == "aws":
        source = f"own.{source}"
    return Product(source[: model.SOURCE_CHARACTERS].rstrip("-."), is_aws=False)


def kind(report: HubFinding) -> Kind:
    """Return the kind of a finding."""
    return kind_of(report.product.source, report.finding_class, names(report))


def names(report: HubFinding) -> list[str]:
    """Return the names of a finding's types, in the product's own words."""
    return names_of(report.product.source, report.types)


def names_for_policy(report: HubFinding) -> list[str]:
    """Return the names that a tenant's patterns are compared with: the types, the control and the CVEs."""
    return [*names(report), *([report.control] if report.control else []), *report.cves]


def own_type(report: HubFinding) -> str | None:
    """Return a finding's type in the product's own words, or None."""
    return next(iter(names(report)), None)


def category(report: HubFinding, its_kind: str) -> str | None:
    """Return the category of a finding: the same as in the product's own event."""
    return category_of(its_kind, names(report))


def tag(report: HubFinding, its_kind: str) -> str | None:
    """Return a tag that names a finding's subject: its control, its CVE, or its type in the product's own words."""
    if its_kind == "posture" and report.control:
        return report.control
    if its_kind == "vulnerability" and report.cves:
        return report.cves[0]
    return own_type(report)


def key(report: HubFinding, its_kind: str) -> str:
    """Return a finding's key. The product's own event and both formats of Security Hub give the same key."""
    own = own_type(report)
    if report.product == Product(macie.SOURCE, is_aws=True):
        return macie.key(report.account_id, report.finding_id, own, report.bucket)
    if is_external_access(report) and report.resource:
        return access_analyzer.key(report.account_id, report.resource)
    if its_kind == "posture" and not _CONSOLIDATED.fullmatch(report.finding_id) and (of_control := _of_control(report)):
        return of_control
    return _of_id(report)


def is_external_access(report: HubFinding) -> bool:
    """Return whether the finding is one of IAM Access Analyzer about external access."""
    is_of_analyzer = report.product == Product(access_analyzer.SOURCE, is_aws=True)
    return is_of_analyzer and any("External Access" in name for name in report.types)


def is_grouped(report: HubFinding) -> bool:
    """Return whether several findings, each with its own id, can have this finding's key."""
    if is_external_access(report):
        return True
    is_of_macie = report.product == Product(macie.SOURCE, is_aws=True)
    return is_of_macie and bool(report.bucket) and macie.is_grouped(own_type(report))


def former_keys(report: HubFinding, its_kind: str) -> list[str]:
    """Return the other keys under which the table may have the finding.

    An earlier release used other keys. A control also has several keys, because each standard has its own finding of
    the control unless consolidated findings are switched on.
    """
    if is_external_access(report) and report.resource:
        return [_of_id(report)]
    if its_kind != "posture":
        return []
    candidates = [_of_id(report), _of_control(report)]
    return [candidate for candidate in candidates if candidate and candidate != key(report, its_kind)]


def cves(*texts: str | None) -> list[str]:
    """Return the different CVE ids in texts."""
    return list(dict.fromkeys(cve for text in texts if text for cve in _CVE.findall(text)))


def is_sample(who: Product, title: str, flags: Iterable[Node], resources: Iterable[str | None]) -> bool:
    """Return whether a finding is a generated sample.

    A sample is marked in its title, in one of the ``flags`` or in the names of its resources. A flag is true, or a JSON
    text whose member ``sample`` is true.
    """
    if any(_is_sample_flag(flag) for flag in flags):
        return True
    if not who.is_aws:
        return False
    return guardduty.is_sample_title(title) or any(name in (text or "") for text in resources for name in _SAMPLE_NAMES)


def _is_sample_flag(flag: Node) -> bool:
    if flag.is_true():
        return True
    try:
        return Node(json.loads(flag.text() or "null")).at("sample").is_true()
    except (ValueError, RecursionError):
        return False


def _of_control(report: HubFinding) -> str | None:
    """Return the key of a control and its resource, which is the same in every standard."""
    if not (report.product == Product(SOURCE, is_aws=True) and report.control and report.resource):
        return None
    region = report.product_arn.split(":")[3:4]
    return composed_key(SOURCE, "control", report.account_id, *region, report.control, report.resource)


def _of_id(report: HubFinding) -> str:
    if report.product.is_aws and report.finding_id.startswith("arn:"):
        return report.finding_id
    product_arn = report.product_arn.replace(":productv2/", ":product/")
    return composed_key(SOURCE, report.account_id, product_arn, report.finding_id)
