"""Types of findings, in the form of the product's own events, whichever hub they came through.

Security Hub CSPM (ASFF) spells GuardDuty's types differently. "Integrating with AWS Security Hub CSPM" in the GuardDuty
user guide has a table of every type in both spellings, which ``tests/events/guardduty_types.tsv`` repeats. Its rules:

| in ASFF                                               | the product's own type                                 |
|-------------------------------------------------------|--------------------------------------------------------|
| ``TTPs/Discovery/Recon:EC2-Portscan``                 | ``Recon:EC2/Portscan``                                 |
| ``TTPs/PenTest:IAMUser/KaliLinux``                    | ``PenTest:IAMUser/KaliLinux``                          |
| ``TTPs/Initial Access/IAMUser-AnomalousBehavior``     | ``InitialAccess:IAMUser/AnomalousBehavior``            |
| ``TTPs/DefenseEvasion/EC2:Unusual-DNS-Resolver``      | ``DefenseEvasion:EC2/UnusualDNSResolver``              |
| ``TTPs/AnomalousBehavior/Discovery:Kubernetes-X``     | ``Discovery:Kubernetes/AnomalousBehavior.X``           |
"""

import re
from collections.abc import Sequence

from ..domain import model

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_CUT = "Impact:Runtime/SuspiciousDomainRequest.Reputatio"  # the guide prints the last type without its last letter
_WITH_OWN_TYPES = ("aws.guardduty", "aws.macie")
_OWN_WORDS = ("Namespace", "Category", "Classifier")  # CrowdStrike sends a type as three texts with these words


def names_of(product: str, types: Sequence[str]) -> list[str]:
    """Return the names of a finding's types: the product's own type alone, or else the types as the event has them.

    ``product`` is the event source of the product. Only the first 50 types are used, and only the first 256 characters
    of each type.
    """
    types = [text[: model.TAG_CHARACTERS] for text in types[: model.TAGS]]
    if product in _WITH_OWN_TYPES:
        own = next((own for text in types if (own := _from_asff(text))), None)
        return [own] if own else types
    words = _own_words(types)
    return [words, *types] if words else types


def _from_asff(text: str) -> str | None:
    """Return the product's own type for one type of ASFF or OCSF, or None for a type of another form."""
    way = text.split("/")
    for place, step in enumerate(way):
        purpose, colon, rest = step.partition(":")
        if not colon or not _NAME.fullmatch(purpose):
            continue
        rest = "/".join([rest, *way[place + 1 :]])
        if _is_purpose_of_ec2(purpose, rest) and place:
            return f"{_without_spaces(way[place - 1])}:{purpose}/{rest.replace('-', '')}"
        resource, name = _split_once(rest)
        if not (_NAME.fullmatch(resource) and name):
            continue
        if place and way[place - 1] == "AnomalousBehavior":
            name = f"AnomalousBehavior.{name}"
        own = f"{purpose}:{resource}/{name}"
        return f"{own}n" if own == _CUT else own
    if len(way) == 3:
        resource, name = _split_once(way[2])
        if way[0] == "TTPs" and resource in ("IAMUser", "RDS") and name:
            return f"{_without_spaces(way[1])}:{resource}/{name}"
    return None


def _is_purpose_of_ec2(purpose: str, rest: str) -> bool:
    return purpose == "EC2" and rest.startswith("Unusual-")


def _split_once(text: str) -> tuple[str, str]:
    """Return the parts of a text before and after its first ``/`` or ``-``."""
    place = min((at for at in (text.find("/"), text.find("-")) if at >= 0), default=len(text))
    return text[:place], text[place + 1 :]


def _without_spaces(text: str) -> str:
    return text.replace(" ", "")


def _own_words(types: Sequence[str]) -> str | None:
    """Return ``TTPs/Execution/Command-Line`` for the types ``Namespace: TTPs``, ``Category: Execution`` and so on."""
    parts = dict(text.partition(": ")[::2] for text in types)
    if "Namespace" not in parts:
        return None
    return "/".join(parts[word] for word in _OWN_WORDS if parts.get(word))
