"""Take the main facts about a finding from its event, by the names of members.

The summary is not stored. So a later release can take more facts from an older event. The names are those of the
sources' event formats: GuardDuty, ASFF, OCSF, Macie, Inspector, AWS Health, CloudWatch, CloudTrail, IAM Access
Analyzer, and this service's own ``Alert Escalated``.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

VALUES = 50  # of each list
CHARACTERS = 2048  # of each value
_NODES = 100_000  # the most values of an event that are visited; DynamoDB and SQS also limit the event's size

_LINK = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
# Control characters, half surrogate pairs, invisible characters, and those that change the direction of a text. The
# module ``texts`` knows more such characters, but its import would slow down the start.
_BREAKS = re.compile(r"[\t-\r\x85\u2028\u2029]+")  # tabs and line ends separate words, like a space
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_PLACE = re.compile(r"\.[0-9]{1,4}_$")  # a position of a list in ASFF's ProductFields, as in portProbeDetails.0_

Object = Mapping[str, Any]


class _Lift(NamedTuple):
    """The path of a value of the summary. It begins at any object for which ``when`` is true.

    Names are compared without case, because ASFF writes GuardDuty's names with capitals.
    """

    path: str
    when: Callable[[Object], bool] = lambda _: True


def _is_outbound(place: Object) -> bool:
    """Return whether an object of ASFF or OCSF describes a connection from the inside to the outside."""
    connection = place.get("connection_info")
    words = [place.get("Direction"), *(connection.values() if isinstance(connection, Mapping) else ())]
    return any(isinstance(word, str) and word.lower() in ("out", "outbound") for word in words)


def _is_inbound(place: Object) -> bool:
    return not _is_outbound(place)


def _of_type(*types: str) -> Callable[[Object], bool]:
    return lambda place: place.get("Type", place.get("type")) in types


_REMOTE_ADDRESSES = (
    _Lift("remoteIpDetails.ipAddressV4"),
    _Lift("remoteIpDetails.ipAddressV6"),
    _Lift("kubernetesApiCallAction.sourceIPs"),
    _Lift("dnsRequestAction.domain"),
    _Lift("sequence.endpoints.ip"),
    _Lift("sequence.endpoints.domain"),
    _Lift("networkEndpoints.ip"),
    _Lift("networkEndpoints.domain"),
    _Lift("network.sourceIpV4", lambda place: _is_inbound(_member(place, "network"))),
    _Lift("network.sourceIpV6", lambda place: _is_inbound(_member(place, "network"))),
    _Lift("network.sourceDomain", lambda place: _is_inbound(_member(place, "network"))),
    _Lift("network.destinationIpV4", lambda place: _is_outbound(_member(place, "network"))),
    _Lift("network.destinationIpV6", lambda place: _is_outbound(_member(place, "network"))),
    _Lift("network.destinationDomain", lambda place: _is_outbound(_member(place, "network"))),
    _Lift("value", _of_type("IPV4_ADDRESS", "IPV6_ADDRESS", "DOMAIN")),  # ThreatIntelIndicators
    _Lift("src_endpoint.ip", _is_inbound),
    _Lift("src_endpoint.domain", _is_inbound),
    _Lift("dst_endpoint.ip", _is_outbound),
    _Lift("dst_endpoint.domain", _is_outbound),
    _Lift("query.hostname"),
    _Lift("ipAddressDetails.ipAddressV4"),
    _Lift("domainDetails.domainName"),
    _Lift("sourceIPAddress"),
)
_PRINCIPALS = (
    _Lift("accessKeyDetails.userName"),
    _Lift("accessKeyDetails.principalId"),
    _Lift("kubernetesUserDetails.username"),
    _Lift("rdsDbUserDetails.user"),
    _Lift("actors.user.name"),
    _Lift("actors.user.uid"),
    _Lift("actor.user.name"),
    _Lift("actor.user.uid"),
    _Lift("actor.user.uid_alt"),
    _Lift("awsIamAccessKey.principalName"),
    _Lift("awsIamAccessKey.userName"),
    _Lift("awsIamAccessKey.principalId"),
    _Lift("name", _of_type("AWS::IAM::AccessKey", "AwsIamAccessKey")),  # OCSF names the key's owner
    _Lift("userIdentity.arn"),
    _Lift("userIdentity.userName"),
    _Lift("userIdentity.iamUser.userName"),
    _Lift("userIdentity.assumedRole.arn"),
    _Lift("userIdentity.assumedRole.sessionContext.sessionIssuer.userName"),
    _Lift("userIdentity.federatedUser.arn"),
    _Lift("userIdentity.root.arn"),
    _Lift("userIdentity.awsAccount.principalId"),
    _Lift("userIdentity.awsService.invokedBy"),
    _Lift("eventMetadata.userName"),
    _Lift("detail.principal.AWS"),
    _Lift("detail.principal.Federated"),
    _Lift("detail.principal.CanonicalUser"),
)
_LINKS = (
    _Lift("sourceUrl", lambda place: "ProductArn" in place),
    _Lift("finding_info.src_url"),
    _Lift("detail.url"),
    _Lift("eventMetadata.exposedUrl"),
)
_REMEDIATION = (
    _Lift("remediation.recommendation.text"),
    _Lift("remediation.recommendation.url"),
    _Lift("remediation.desc"),
    _Lift("remediation.references"),
)
_PROCESSES = (
    _Lift("process.executablePath"),
    _Lift("process.path"),
    _Lift("process.name"),
    _Lift("process.cmd_line"),
    _Lift("process.file.path"),
)
_IMAGES = (
    _Lift("containerDetails.image"),
    _Lift("containers.image"),
    _Lift("container.imageName"),
    _Lift("container.imageId"),
    _Lift("container.image.name"),
    _Lift("container.image.uid"),
    _Lift("instanceDetails.imageId"),
    _Lift("ec2ImageDetails.imageArn"),
    _Lift("awsEc2Instance.imageId"),
    _Lift("awsEcrContainerImage.repositoryName"),
    _Lift("awsEcrContainerImage.imageHash"),
    _Lift("awsEcrContainerImage.imageDigest"),
)
_STATES = (
    "RecordState", "Workflow.Status", "Compliance.Status", "status", "compliance.status", "statusCode", "state.value",
    "scanResultDetails.scanResultStatus", "service.archived", "archived",
)  # fmt: skip


def _by_first_name(*lifts: _Lift) -> dict[str, list[tuple[_Lift, list[str]]]]:
    grouped: dict[str, list[tuple[_Lift, list[str]]]] = {}
    for lift in lifts:
        first, *rest = lift.path.lower().split(".")
        grouped.setdefault(first, []).append((lift, rest))
    return grouped


_MEMBERS = {
    "remote_addresses": _REMOTE_ADDRESSES, "principals": _PRINCIPALS, "link": _LINKS, "remediation": _REMEDIATION,
    "processes": _PROCESSES, "images": _IMAGES,
}  # fmt: skip
_ALL = _by_first_name(*(lift for lifts in _MEMBERS.values() for lift in lifts))


def summary_of(event: Any, mapped: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    """Return the summary of an event. It has all members even if the event has no value for them.

    All texts have a limited length and no control characters. A link begins with ``http://`` or ``https://``. The
    members of ``mapped`` replace the members of the same name. A tenant's mapping took them from the event.
    """
    own = {name: [clean for text in texts if (clean := _clean_text(text))] for name, texts in (mapped or {}).items()}
    values_of: dict[_Lift, list[str]] = {}
    for place in _objects(event):
        for name, value in place.items():
            for lift, rest in _ALL.get(name.lower(), ()):
                if lift.when(place):
                    values_of.setdefault(lift, []).extend(_texts(value, rest))

    def lifted(*lifts: _Lift) -> list[str]:
        values = (value for lift in lifts for value in values_of.get(lift, ()))
        return list(dict.fromkeys(value for value in values if value))[:VALUES]

    values = {name: own.get(name) or lifted(*lifts) for name, lifts in _MEMBERS.items()}
    return values | {
        "link": next(filter(is_link, values["link"]), None),
        "remediation": "\n".join(values["remediation"]) or None,
        "upstream_state": _states(event),
    }


def is_link(text: str) -> bool:
    """Return whether a text is a link that a summary may show."""
    return _LINK.fullmatch(text) is not None


def _objects(event: Any) -> Iterator[Object]:
    """Yield every object in an event, an outer one before its inner ones, at any depth."""
    waiting: list[Any] = [event]
    for _ in range(_NODES):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield value
            inner = [_nested(member) if name == "ProductFields" else member for name, member in value.items()]
        else:
            inner = value if isinstance(value, list) else []
        waiting += [member for member in reversed(inner) if isinstance(member, dict | list)]


def _nested(fields: Any) -> Any:
    """Return the ProductFields of ASFF as objects in objects. Their names are paths, such as ``aws/guardduty/...``."""
    root: dict[str, Any] = {}
    for name, value in fields.items() if isinstance(fields, Mapping) else ():
        place = root
        *outer, last = (_PLACE.sub("", step) for step in name.split("/")[:16])
        for step in outer:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        values = place.setdefault(last, [])
        if isinstance(values, list):
            values.append(value)
    return root


def _texts(value: Any, path: list[str]) -> list[str]:
    """Return the texts at a path below a value, through lists."""
    values = [value]
    for name in [*path, None]:
        flat = [item for each in values for item in (each if isinstance(each, list) else [each])][:VALUES]
        if name is None:
            return [text for item in flat if (text := _clean_text(item))]
        values = [
            member for item in flat if isinstance(item, Mapping) for own, member in item.items() if own.lower() == name
        ]
    return []


def _states(event: Any) -> dict[str, str]:
    """Return the states that the source gives to the finding, such as archived, by the source's names."""
    detail = event.get("detail") if isinstance(event, Mapping) else None
    findings = detail.get("findings") if isinstance(detail, Mapping) else None
    finding = findings[0] if isinstance(findings, list) and findings else detail
    states = {}
    for path in _STATES:
        value: Any = finding
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, bool):
            states[path] = str(value).lower()
        elif text := _clean_text(value):
            states[path] = text
    return states


def _clean_text(value: Any) -> str | None:
    """Return a text in one line, without characters that change other text's display, or None for another value."""
    if not isinstance(value, str):
        return None
    return _INVISIBLE.sub("", _BREAKS.sub(" ", value[:CHARACTERS])).strip() or None


def _member(place: Object, wanted: str) -> Object:
    member = next((value for name, value in place.items() if name.lower() == wanted), None)
    return member if isinstance(member, Mapping) else {}
