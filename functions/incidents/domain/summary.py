"""Take the main facts about a finding from its event, by the names of members.

The summary is not stored. So a later release can take more facts from an older event. The names are those of the
sources' event formats: GuardDuty, ASFF, OCSF, Macie, Inspector, AWS Health, CloudWatch, CloudTrail, IAM Access
Analyzer, and this service's own ``Alert Escalated``.

The source's format has a fixed place for each value. The service ignores values at other places. Otherwise, a person
who can name a tag, a label or a parameter of a request could write an address into the summary.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

VALUES = 50  # the most texts of a list in the summary
CHARACTERS = 2048  # a longer text is cut, and a longer link is left out
_PLACES = 1000  # the most values that the reader visits for one name

# A link must not have a user name, because `https://aws.amazon.com@evil.example/` leads to evil.example.
_LINK = re.compile(r"https?://[^\s\"'<>\\/?#@]+(?:[/?#][^\s\"'<>\\]*)?", re.IGNORECASE)
# Control characters, half surrogate pairs, invisible characters, and those that change the direction of a text. The
# module ``texts`` knows more such characters, but its import would slow down the start.
_BREAKS = re.compile(r"[\t-\r\x85\u2028\u2029]+")  # tabs and line ends separate words, like a space
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
# In ProductFields of ASFF, a name has the position in a list as its suffix, such as portProbeDetails.0_
_PLACE = re.compile(r"\.[0-9]{1,4}_$")
# These events of Security Hub have a list of findings. Another sender can use the name ``findings`` for anything.
_OF_HUB = ("Security Hub Findings - Imported", "Security Hub Findings - Custom Action", "Findings Imported V2")
_OF_GUARDDUTY = "aws/guardduty/"  # the beginning of each name in GuardDuty's ProductFields
_NOT_SAID = {
    "none provided",
    "none",
    "n/a",
    "notavailable",
    "not available",
}  # sources write these words if they have no advice

Object = Mapping[str, Any]
Path = tuple[str, ...]


class _Lift(NamedTuple):
    """The place of a value: a path of names below the finding. ``*`` matches every name.

    The part of the path before a slash leads to an object. ``when`` must be true for this object. ``worded`` gets this
    object and the value. It returns the text to show, or None. Upper and lower case of names do not matter, because
    ASFF writes GuardDuty's names with capitals.
    """

    path: str
    when: Callable[[Object], bool] | None = None
    worded: Callable[[Object, str], str | None] | None = None


def _lifts(roots: Sequence[str], *paths: str) -> tuple[_Lift, ...]:
    """Return a ``_Lift`` for each combination of a root and a path."""
    return tuple(_Lift(f"{root}.{path}") for root in roots for path in paths)


def _is_outbound(place: Object) -> bool:
    """Return whether an object of ASFF or OCSF describes a connection from the inside to the outside."""
    connection = place.get("connection_info")
    words = [place.get("Direction"), *(connection.values() if isinstance(connection, Mapping) else ())]
    number = connection.get("direction_id") if isinstance(connection, Mapping) else None
    return number == 2 or any(isinstance(word, str) and word.lower() in ("out", "outbound") for word in words)


def _is_inbound(place: Object) -> bool:
    return not _is_outbound(place)


def _of_type(*types: str) -> Callable[[Object], bool]:
    return lambda place: place.get("Type", place.get("type")) in types


def _of_product(name: str) -> Callable[[Object], bool]:
    """Return a condition that is true for an ASFF finding of one AWS product. Only this product can use its ARN."""
    return lambda place: str(place.get("ProductArn")).endswith(f":product/{name}")


def _unless_service(_: Object, text: str) -> str | None:
    """Return the address in a call of CloudTrail, or None if CloudTrail names an AWS service instead of an address."""
    return None if text.endswith(".amazonaws.com") or text == "AWS Internal" else text


def _fixed_in(package: Object, text: str) -> str | None:
    """Return a sentence with the fixed version of a package, or None if the source knows no fixed version."""
    name = package.get("name", package.get("Name"))
    return None if text.strip().casefold() in _NOT_SAID else f"{name or 'package'}: fixed in {text}"


_ACTIONS = ("service.action", "action")  # the first path is of GuardDuty, the second of ASFF
_SEQUENCES = ("service.detection.sequence", "detection.sequence")
_SIDES = ("", "evidences/")  # OCSF has the two ends of a connection in the finding, or in its evidences
_IDENTITIES = ("userIdentity", "policyDetails.actor.userIdentity")  # of CloudTrail, and of Macie

_REMOTE_ADDRESSES = (
    *_lifts(
        _ACTIONS,
        "*.remoteIpDetails.ipAddressV4", "*.remoteIpDetails.ipAddressV6",
        "portProbeAction.portProbeDetails.remoteIpDetails.ipAddressV4",
        "portProbeAction.portProbeDetails.remoteIpDetails.ipAddressV6",
        "kubernetesApiCallAction.sourceIPs", "dnsRequestAction.domain", "awsApiCallAction.domainDetails.domain",
    ),
    *_lifts(_SEQUENCES, "endpoints.ip", "endpoints.domain"),
    _Lift("network/sourceIpV4", _is_inbound),
    _Lift("network/sourceIpV6", _is_inbound),
    _Lift("network/sourceDomain", _is_inbound),
    _Lift("network/destinationIpV4", _is_outbound),
    _Lift("network/destinationIpV6", _is_outbound),
    _Lift("network/destinationDomain", _is_outbound),
    _Lift("threatIntelIndicators/value", _of_type("IPV4_ADDRESS", "IPV6_ADDRESS", "DOMAIN")),
    *(_Lift(f"{at}src_endpoint.{name}", _is_inbound) for at in _SIDES for name in ("ip", "domain")),
    *(_Lift(f"{at}dst_endpoint.{name}", _is_outbound) for at in _SIDES for name in ("ip", "domain")),
    *_lifts(("query", "evidences.query"), "hostname"),
    _Lift("policyDetails.actor.ipAddressDetails.ipAddressV4"),
    _Lift("policyDetails.actor.domainDetails.domainName"),
    _Lift("sourceIPAddress", worded=_unless_service),
)  # fmt: skip
_PRINCIPALS = (
    *_lifts(("resource.accessKeyDetails",), "userName", "principalId"),
    *_lifts(("resource.kubernetesDetails.kubernetesUserDetails",), "username", "impersonatedUser.username"),
    _Lift("resource.rdsDbUserDetails.user"),
    *_lifts(_SEQUENCES, "actors.user.name", "actors.user.uid"),
    *_lifts(("evidences.actor.user", "actor.user"), "name", "uid", "uid_alt"),
    *_lifts(("resources.details.awsIamAccessKey",), "principalName", "userName", "principalId"),
    _Lift("resources.details.awsIamUser.userName"),
    _Lift("resources/name", _of_type("AWS::IAM::AccessKey", "AwsIamAccessKey")),  # here, OCSF has the key's owner
    _Lift("resources/data.principal_id", _of_type("AWS::IAM::AccessKey")),
    *_lifts(
        _IDENTITIES,
        "arn", "userName", "iamUser.userName", "assumedRole.arn", "assumedRole.sessionContext.sessionIssuer.userName",
        "federatedUser.arn", "root.arn", "awsAccount.principalId", "awsService.invokedBy",
        "sessionContext.sessionIssuer.arn", "onBehalfOf.userId", "invokedBy",
    ),
    _Lift("eventMetadata.userName"),
    *_lifts(("principal",), "AWS", "Federated", "CanonicalUser", "Service"),
    _Lift("productFields.External Principal", _of_product("aws/access-analyzer")),
    *_lifts(_ACTIONS, "awsApiCallAction.remoteAccountDetails.accountId"),
    _Lift("service.runtimeDetails.process.user"),
)  # fmt: skip
_LINKS = (
    _Lift("sourceUrl", lambda place: "ProductArn" in place),
    _Lift("finding_info.src_url"),
    _Lift("url"),
    _Lift("eventMetadata.exposedUrl"),
    _Lift("packageVulnerabilityDetails.sourceUrl"),
    _Lift("vulnerabilities.vendor.url"),
)
_REMEDIATION = (
    *_lifts(("remediation.recommendation",), "text", "url"),
    *_lifts(
        ("remediation", "vulnerabilities.remediation", "vulnerabilities.affected_packages.remediation"),
        "desc", "references",
    ),
    *_lifts(("packageVulnerabilityDetails", "vulnerabilities"), "vulnerablePackages.remediation"),
    _Lift("packageVulnerabilityDetails.vulnerablePackages/fixedInVersion", worded=_fixed_in),
    _Lift("vulnerabilities.vulnerablePackages/fixedInVersion", worded=_fixed_in),
    _Lift("vulnerabilities.affected_packages/fixed_in_version", worded=_fixed_in),
)  # fmt: skip
_PROCESSES = (
    *_lifts(
        (
            "service.runtimeDetails.process", "service.runtimeDetails.context.modifyingProcess",
            "service.runtimeDetails.context.targetProcess", *(f"{sequence}.actors.process" for sequence in _SEQUENCES),
            "process", "evidences.process", "evidences.actor.process", "actor.process",
        ),
        "executablePath", "path", "name", "cmd_line", "file.path",
    ),
    *_lifts(("service.runtimeDetails.context",), "scriptPath", "threatFilePath", "commandLineExample"),
    _Lift("service.ebsVolumeScanDetails.scanDetections.threatDetectedByName.threatNames.filePaths.filePath"),
    _Lift("malware.path"),
)  # fmt: skip
_IMAGES = (
    *_lifts(
        ("resource",),
        "containerDetails.image", "kubernetesDetails.kubernetesWorkloadDetails.containers.image",
        "ecsClusterDetails.taskDetails.containers.image", "instanceDetails.imageId", "ec2ImageDetails.imageArn",
    ),
    *_lifts(_SEQUENCES, "resources.data.container.image"),
    *_lifts(
        ("resources.details",),
        "container.imageName", "container.imageId", "awsEcsTask.containers.image", "awsEc2Instance.imageId",
        "awsEcrContainerImage.repositoryName", "awsEcrContainerImage.imageHash", "awsEcrContainerImage.imageDigest",
    ),
    *_lifts(("evidences.container", "container", "resources.container"), "image.name", "image.uid"),
)  # fmt: skip
_STATES = (
    "RecordState", "Workflow.Status", "Compliance.Status", "status", "compliance.status", "statusCode", "state.value",
    "scanResultDetails.scanResultStatus", "service.archived", "archived",
)  # fmt: skip


_MEMBERS = {
    "remote_addresses": _REMOTE_ADDRESSES, "principals": _PRINCIPALS, "link": _LINKS, "remediation": _REMEDIATION,
    "processes": _PROCESSES, "images": _IMAGES,
}  # fmt: skip


def _steps(path: str) -> Path:
    return tuple(path.lower().split(".")) if path else ()


# For each lift of a member, this table has the steps to the value. The number is the count of the steps that lead to
# the object of the condition.
_WAYS = {
    member: [(lift, _steps(lift.path.replace("/", ".")), len(_steps(lift.path.rpartition("/")[0]))) for lift in lifts]
    for member, lifts in _MEMBERS.items()
}


def summary_of(event: Any, mapped: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    """Return the summary of an event. The summary has all members even if the event has no value for them.

    All texts have a limited length and no control characters. A link begins with ``http://`` or ``https://``.
    ``mapped`` has the members that a tenant's mapping took from the event. They replace the other members of the same
    name.
    """
    reader = _Reader(_findings(event))
    values = {
        member: _usable(member, (mapped or {}).get(member, ())) or _usable(member, reader.texts(member))
        for member in _MEMBERS
    }
    return values | {
        "link": next(iter(values["link"]), None),
        "remediation": "\n".join(values["remediation"]) or None,
        "upstream_state": _states(event),
    }


def is_link(text: str) -> bool:
    """Return whether a summary may show a text as a link. A link is never cut, so a too long text is not a link."""
    return len(text) <= CHARACTERS and not _INVISIBLE.search(text) and _LINK.fullmatch(text) is not None


def shortened(text: str, characters: int) -> str:
    """Return a text with at most ``characters`` characters. If the text was longer, a note at its end says so."""
    return text if len(text) <= characters else f"{text[:characters]} (cut: {len(text) - characters} more characters)"


def _usable(member: str, texts: Iterable[str]) -> list[str]:
    """Return the texts of a member that the summary shows. Each text occurs once."""
    kept: dict[str, None] = {}
    for text in texts:
        if member == "link":
            shown = stripped if is_link(stripped := text.strip()) else None
        elif member == "remediation" and text.strip().casefold() in _NOT_SAID:
            shown = None
        else:
            shown = _clean_text(text)
        if shown:
            kept[shown] = None
        if len(kept) == VALUES:
            break
    return list(kept)


def _findings(event: Any) -> list[Object]:
    """Return the findings of an event: all findings of a hub's event, or the detail of another event.

    For a finding of GuardDuty in ASFF, the function adds a second finding, which is built from its ``ProductFields``.
    """
    findings = [finding for finding in _given(event) if isinstance(finding, Mapping)]
    nested = [_nested(finding.get("ProductFields")) for finding in findings if _of_product("aws/guardduty")(finding)]
    return [*findings, *nested]


def _given(event: Any) -> Sequence[Any]:
    """Return the findings of an event without a check of their type."""
    if not isinstance(event, Mapping):
        return []
    detail = event.get("detail")
    listed = detail.get("findings") if isinstance(detail, Mapping) and event.get("detail-type") in _OF_HUB else None
    return listed if isinstance(listed, list) else [detail]


class _Reader:
    """A reader of the values of findings. It looks up each path once, and indexes each object once."""

    def __init__(self, findings: list[Object]) -> None:
        self._places: dict[Path, list[Any]] = {(): list(findings)}
        self._names = {name.lower() for finding in findings for name in finding}
        self._indexes: dict[int, dict[str, list[Any]]] = {}

    def texts(self, member: str) -> Iterator[str]:
        """Yield all texts at the paths of a member of the summary."""
        for lift, way, split in _WAYS[member]:
            if way[0] not in self._names:
                continue
            if lift.when is None and lift.worded is None:
                yield from (value for value in self._at(way) if isinstance(value, str))
                continue
            for place in self._at(way[:split]):
                if not isinstance(place, dict) or (lift.when and not lift.when(place)):
                    continue
                values = [place]
                for name in way[split:]:
                    values = self._step(values, name)
                for value in values:
                    if isinstance(value, str) and (text := lift.worded(place, value) if lift.worded else value):
                        yield text

    def _at(self, path: Path) -> list[Any]:
        """Return the values at a path below the findings. The path also leads through the items of lists."""
        places = self._places.get(path)
        if places is None:
            above = self._at(path[:-1])
            places = self._places[path] = self._step(above, path[-1]) if above else []
        return places

    def _step(self, places: list[Any], name: str) -> list[Any]:
        """Return the values that objects have under a name. If such a value is a list, return its items."""
        inner: list[Any] = []
        for place in places:
            if isinstance(place, dict):
                for value in self._named(place, name):
                    inner += value if isinstance(value, list) else [value]
                    if len(inner) >= _PLACES:
                        return inner[:_PLACES]
        return inner

    def _named(self, place: Object, name: str) -> Iterable[Any]:
        if name == "*":
            return place.values()
        index = self._indexes.get(id(place))
        if index is None:
            index = self._indexes[id(place)] = {}
            for own, value in place.items():
                index.setdefault(own.lower(), []).append(value)
        return index.get(name, ())


def _nested(fields: Any) -> Object:
    """Return a finding that is built from ``ProductFields`` of GuardDuty.

    Each name in ``ProductFields`` is a path, such as ``aws/guardduty/service/...``.
    """
    root: dict[str, Any] = {}
    for name, value in fields.items() if isinstance(fields, Mapping) else ():
        if not name.startswith(_OF_GUARDDUTY):
            continue
        place = root
        *outer, last = (_PLACE.sub("", step) for step in name.removeprefix(_OF_GUARDDUTY).split("/")[:16])
        for step in outer:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        values = place.setdefault(last, [])
        if isinstance(values, list):
            values.append(value)
    return root


def _states(event: Any) -> dict[str, str]:
    """Return the states that the source gives to the finding, such as archived, by the source's names."""
    finding = next(iter(_given(event)), None)
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
    return _INVISIBLE.sub("", _BREAKS.sub(" ", shortened(value, CHARACTERS))).strip() or None
