"""The kind of every finding, from one table. The first line that matches a finding gives its kind.

A line has the event source of the product, the class of the finding, and a pattern of its types. ``*`` matches all.
The class is the class of OCSF, or its equivalent in the other formats:

``compliance``       the result of a check: ASFF's ``Compliance``, OCSF's 2003 and 2007, or ``status_code`` PASS or FAIL
``vulnerability``    ASFF's ``Vulnerabilities``, OCSF's 2002, or a CVE in the finding's id, title or types
``detection``        OCSF's 2004 and 2005
``data_security``    OCSF's 2006
``abuse``            an AWS Health Abuse Event
``issue`` ...        the category of any other AWS Health event
``escalated``        the event Alert Escalated
``unknown``          anything else

The namespace TTPs is for the actions of attackers. So a finding with a type of this namespace is a detection, even if
its class says that it is the result of a check.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from ..domain import model
from ..domain.intake_policy import Kind


class Line(NamedTuple):
    """One line of the table."""

    source: str
    finding_class: str
    type: str
    kind: Kind

    def __str__(self) -> str:
        return f"source {self.source}, class {self.finding_class}, type {self.type}"


_CHECKS = "Software and Configuration Checks"

TABLE: tuple[Line, ...] = (
    Line("aws.guardduty", "*", "*", "detection"),
    Line("aws.macie", "*", "Policy:IAMUser/S3BucketEncryptionDisabled", "posture"),
    Line("aws.macie", "*", "*", "exposure"),
    Line("aws.inspector2", "*", "*", "vulnerability"),
    Line("aws.cloudwatch", "*", "*", "alarm"),
    Line("aws.cloudtrail", "*", "*", "detection"),
    Line("aws.security-ir", "*", "*", "detection"),
    Line("aws.health", "abuse", "*", "detection"),
    Line("aws.health", "*", "*_ABUSE_*", "detection"),
    Line("aws.health", "*", "AWS_RISK_*", "detection"),
    Line("aws.health", "*", "AWS_SHIELD_*DDOS*", "detection"),
    Line("aws.health", "*", "AWS_S3_OPEN_ACCESS_BUCKET_NOTIFICATION", "exposure"),
    Line("aws.health", "*", "*_ISSUE*", "alarm"),
    Line("aws.health", "*", "*_DEGRADED*", "alarm"),
    Line("aws.health", "*", "*_IMPAIRED*", "alarm"),
    Line("aws.health", "issue", "*", "alarm"),
    Line("aws.health", "investigation", "*", "alarm"),
    Line("aws.health", "*", "*", "notice"),
    Line("*", "escalated", "*", "detection"),
    Line("*", "*", "TTPs*", "detection"),
    Line("*", "*", "Unusual Behaviors*", "detection"),
    Line("*", "compliance", "*", "posture"),
    Line("*", "vulnerability", "*", "vulnerability"),
    Line("*", "*", f"{_CHECKS}/Vulnerabilities*", "vulnerability"),
    Line("aws.access-analyzer", "*", "*External Access*", "exposure"),
    Line("*", "*", "Exposure*", "exposure"),
    Line("*", "*", "Effects/Data Exposure*", "exposure"),
    Line("*", "*", "Sensitive Data Identifications*", "exposure"),
    Line("*", "*", f"{_CHECKS}*", "posture"),
    Line("*", "*", "Effects*", "detection"),
    Line("*", "data_security", "*", "exposure"),
    Line("*", "*", "*Misconfiguration*", "posture"),
    Line("*", "*", "*Best Practice*", "posture"),
    Line("*", "*", "*Benchmark*", "posture"),
    Line("*", "*", "*Vulnerabilit*", "vulnerability"),
    Line("*", "*", "*", "detection"),
)


def line_for(source: str, finding_class: str, types: Iterable[str]) -> Line:
    """Return the first line of the table that matches a finding."""
    words = [text[: model.TAG_CHARACTERS] for text in types] or [""]
    return next(
        line
        for line in TABLE
        if line.source in ("*", source)
        and line.finding_class in ("*", finding_class)
        and any(fnmatchcase(word, line.type) for word in words)
    )


def kind_of(source: str, finding_class: str, types: Iterable[str]) -> Kind:
    """Return the kind of a finding."""
    return line_for(source, finding_class, types).kind
