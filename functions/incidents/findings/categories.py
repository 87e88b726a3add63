"""The category of a finding, from one table by its type. The first line that matches gives the category.

The threat purposes come from the GuardDuty user guide ("GuardDuty finding format"). The namespaces are the five of ASFF
("Types taxonomy for ASFF" in the Security Hub user guide), and ``Exposure`` of Security Hub's second version. The words
are those that other products use.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..domain import model

TABLE: tuple[tuple[str, str], ...] = (
    # The types of GuardDuty and Macie
    ("*:*DenialOfService*", "denial_of_service"),
    ("Impact:*DomainRequest*", "malware"),
    ("Impact:*CryptoMiner*", "malware"),
    ("Impact:S3/*Delete*", "data_loss"),
    *((f"{purpose}:*", "malware") for purpose in ("Backdoor", "CryptoCurrency", "Execution", "Object", "Trojan")),
    ("Exfiltration:*", "data_breach"),
    ("Policy:IAMUser/S3B*", "misconfiguration"),
    ("Policy:*", "policy_violation"),
    ("SensitiveData:*", "policy_violation"),
    *(
        (f"{purpose}:*", "unauthorized_access")
        for purpose in (
            "AttackSequence", "Behavior", "CredentialAccess", "DefenseEvasion", "Discovery", "Impact", "InitialAccess",
            "PenTest", "Persistence", "PrivilegeEscalation", "Recon", "ResourceConsumption", "Stealth",
            "UnauthorizedAccess",
        )
    ),
    # Namespaces of ASFF
    ("Software and Configuration Checks/Vulnerabilities*", "vulnerability"),
    ("Software and Configuration Checks*", "misconfiguration"),
    ("Effects/Data Exposure*", "misconfiguration"),
    ("Effects/Data Exfiltration*", "data_breach"),
    ("Effects/Data Destruction*", "data_loss"),
    ("Effects/Denial of Service*", "denial_of_service"),
    ("Effects*", "unauthorized_access"),
    ("Exposure*", "misconfiguration"),
    ("Sensitive Data Identifications*", "policy_violation"),
    ("TTPs/Exfiltration*", "data_breach"),
    ("TTPs/*Malware*", "malware"),
    ("TTPs*", "unauthorized_access"),
    ("Unusual Behaviors*", "unauthorized_access"),
    # The words in types of other products
    ("*[Rr]ansomware*", "ransomware"),
    ("*[Mm]alware*", "malware"),
    ("*[Pp]hishing*", "phishing"),
    ("*[Vv]ulnerabilit*", "vulnerability"),
    ("*CVE-*", "vulnerability"),
    ("*[Mm]isconfiguration*", "misconfiguration"),
    ("*[Ee]xfiltration*", "data_breach"),
    ("*[Dd]enial of [Ss]ervice*", "denial_of_service"),
)  # fmt: skip

_OF_KIND = {
    "detection": "unauthorized_access", "exposure": "misconfiguration", "posture": "misconfiguration",
    "vulnerability": "vulnerability", "notice": "third_party",
}  # fmt: skip


def category_of(kind: str, types: Iterable[str]) -> str | None:
    """Return the category of a finding by its types, or by its kind if the table has none of its types."""
    if kind == "vulnerability":
        return "vulnerability"
    words = [text[: model.TAG_CHARACTERS] for text in types]
    by_type = next((category for pattern, category in TABLE for word in words if fnmatchcase(word, pattern)), None)
    return by_type or _OF_KIND.get(kind)
