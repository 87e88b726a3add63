"""The local stack of this checkout: its folder, its record, its AWS clients and the environment of its processes."""

import json
import os
import re
import secrets
import stat
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, Literal, overload
from urllib.parse import urlsplit

from ..console import StepFailed, command
from . import listener
from .sign_in import AUDIENCE

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

NAME = "grc-incidents"  # samconfig.toml has the same name
REGION = "us-east-1"
ISSUER_BUCKET = "token-issuer"
CLAIM_PARAMETERS = ("TenantClaim", "AppClaim", "AppMarker", "ScopeClaims")
DEFAULT_PORT = 4566

CHECKOUT = Path(__file__).parents[4]
TEMPLATE = CHECKOUT / "template.yaml"


class StackFolder:
    """The folder of a checkout's stack, which has its data, keys, build and logs.

    The folder is ``.incidents`` in the checkout, or the folder that the variable INCIDENTS_HOME names.
    """

    def __init__(self) -> None:
        self.path = Path(os.environ.get("INCIDENTS_HOME") or CHECKOUT / ".incidents").absolute()
        self.record = self.path / "stack.json"
        self.state = self.path / "state"
        self.objects = self.path / "objects"
        self.contents = self.path / "contents.json"  # only a cleanly stopped stack has it
        self.temporary = self.path / "tmp"
        self.build = self.path / "build"
        self.logs = self.path / "logs"
        self.issuer_key = self.path / "issuer-key.pem"
        self.token = self.path / "token"
        self.lock = self.path / "lock"

    def make(self) -> None:
        """Create the folder and its subfolders. Only the owner can read a new folder, because it has a signing key.

        Raises StepFailed if somebody else could change a folder that exists already.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.require_own()
        for part in (self.state, self.objects, self.temporary, self.logs):
            part.mkdir(mode=0o700, exist_ok=True)

    def require_own(self) -> None:
        """Raise StepFailed if another user owns the folder, may write to it or replace it, or owns a link at its path.

        Such a user could run code as this user, or receive the incidents that a command sends.
        """
        named, folder = self.path.lstat(), self.path.stat()
        if {named.st_uid, folder.st_uid} != {os.geteuid()} or folder.st_mode & 0o022:
            raise StepFailed(
                "The folder of the local stack must be yours, and nobody else may write to it.", f"  {self.path}",
                "Name another folder in INCIDENTS_HOME. If the folder is yours, remove files of other users from it. "
                "Then run: chmod go-w FOLDER",
            )  # fmt: skip
        above = (*self.path.parents, *self.path.resolve().parents)
        if foreign := next(filter(_can_be_replaced, above), None):
            raise StepFailed(
                "Another user could put another folder in the place of the local stack's folder.",
                f"  {foreign} belongs to another user, or others may write to it.",
                "Name a folder in INCIDENTS_HOME at a place where nobody else may write.",
            )


def _can_be_replaced(folder: Path) -> bool:
    """Return whether another user may rename what is in a folder above the stack's folder, or may replace the folder.

    The folders above the checkout do not count, because whoever may change them can change the code, too. In a sticky
    folder such as /tmp, only the owner of a thing may rename it.
    """
    if any(folder in (checkout, *checkout.parents) for checkout in (CHECKOUT, CHECKOUT.resolve())):
        return False
    state = folder.stat()
    owners = {folder.lstat().st_uid, state.st_uid}
    others = state.st_mode & 0o002 or (state.st_mode & 0o020 and state.st_gid not in (0, os.getegid()))
    return not owners <= {0, os.geteuid()} or bool(others and not state.st_mode & stat.S_ISVTX)


def new_access_key() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Stack:
    """The record of the checkout's stack. ``pid`` is the emulator's process, or None after a clean stop.

    ``access_key`` is a secret, because a person with this key can run code as the user of this machine. The key is both
    the id and the secret of the AWS credentials. The key is empty if an earlier version of the command recorded the
    stack.
    """

    port: int
    access_key: str = field(default_factory=new_access_key)
    pid: int | None = None
    ready: bool = False
    api_id: str = ""
    table_name: str = ""
    event_bus_name: str = ""
    queue_url: str = ""
    dead_letters_url: str = ""
    history_bucket: str = ""
    functions: dict[str, str] | None = None
    claims: dict[str, str] | None = None  # the template's parameters that name the claims of tokens

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self) -> str:
        return f"{self.endpoint_url}/{ISSUER_BUCKET}"

    @property
    def api_url(self) -> str:
        """The API's URL, without /api/v1/grc."""
        return f"{self.endpoint_url}/_aws/execute-api/{self.api_id}"

    @property
    def account_id(self) -> str:
        return self.queue_url.split("/")[-2]

    @property
    def incidents_url(self) -> str:
        return f"{self.api_url}/api/v1/grc/incidents"

    def status(self) -> dict[str, Any]:
        """Return the URLs, names and keys that a program needs to use the stack."""
        return {
            "api_url": self.api_url,
            "endpoint_url": self.endpoint_url,
            "region": REGION,
            "access_key_id": self.access_key,
            "secret_access_key": self.access_key,
            "issuer": self.issuer,
            "audience": AUDIENCE,
            "table_name": self.table_name,
            "event_bus_name": self.event_bus_name,
            "queue_url": self.queue_url,
            "dead_letters_url": self.dead_letters_url,
            "functions": self.functions or {},
        }

    @cached_property
    def _session(self) -> "boto3.Session":
        import boto3  # takes 0.5 s, so `incidents token` does not import it
        from botocore.session import Session as Core

        # Without the names of its variables, the session reads neither a profile nor a file of the user's AWS settings.
        own: dict[str, Any] = {
            name: (None, None, os.devnull if name in ("config_file", "credentials_file") else default, kind)
            for name, (_, _, default, kind) in Core.SESSION_VARIABLES.items()
        }
        return boto3.Session(self.access_key, self.access_key, region_name=REGION, botocore_session=Core(own))

    @overload
    def client(self, service: Literal["apigatewayv2"]) -> "ApiGatewayV2Client": ...
    @overload
    def client(self, service: Literal["cloudformation"]) -> "CloudFormationClient": ...
    @overload
    def client(self, service: Literal["dynamodb"]) -> "DynamoDBClient": ...
    @overload
    def client(self, service: Literal["events"]) -> "EventBridgeClient": ...
    @overload
    def client(self, service: Literal["sqs"]) -> "SQSClient": ...
    @overload
    def client(self, service: Literal["lambda"]) -> "LambdaClient": ...
    @overload
    def client(self, service: Literal["logs"]) -> "CloudWatchLogsClient": ...
    @overload
    def client(self, service: Literal["s3"]) -> "S3Client": ...
    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self.endpoint_url)  # type: ignore[call-overload]

    def log_group(self, function: str) -> str:
        return f"/{NAME}/{function}"

    def discover(self) -> "Stack":
        """Ask CloudFormation for the names of the stack's resources. Return the stack with these names."""
        listed = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=NAME)
        parts = [part for page in listed for part in page["StackResourceSummaries"]]
        described = self.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        # A queue's URL has the port at which the queue was created.
        urls = {name: f"{self.endpoint_url}{urlsplit(outputs[name]).path}" for name in ("QueueUrl", "DeadLettersUrl")}
        given = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described["Parameters"]}
        return replace(
            self,
            api_id=next(p["PhysicalResourceId"] for p in parts if p["ResourceType"] == "AWS::ApiGatewayV2::Api"),
            table_name=outputs["TableName"],
            event_bus_name=outputs["EventBusName"],
            queue_url=urls["QueueUrl"],
            dead_letters_url=urls["DeadLettersUrl"],
            history_bucket=outputs.get("HistoryBucket", ""),
            functions={
                operation_name(part["LogicalResourceId"]): part["PhysicalResourceId"]
                for part in parts
                if part["ResourceType"] == "AWS::Lambda::Function"
            },
            claims={name: given[name] for name in CLAIM_PARAMETERS if name in given},
        )

    def save(self, folder: StackFolder) -> None:
        write(folder.record, json.dumps(asdict(self), indent=2).encode())


def write(path: Path, content: bytes) -> None:
    """Write a file atomically, readable by its owner only."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        unfinished = Path(file.name)
        try:
            file.write(content)
            file.flush()
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def operation_name(logical_id: str) -> str:
    """Return the name in the code for a function in the template: ``create_incident`` for ``CreateIncident``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", logical_id).lower()


def load(folder: StackFolder) -> Stack | None:
    """Return the stack that the last `up` recorded, or None without a record. Trust only its emulator at its port.

    Raises StepFailed for a broken record.
    """
    try:
        folder.require_own()
        recorded = json.loads(folder.record.read_text())
        known = {member.name for member in fields(Stack)}  # a record of another version may have more fields
        stack = Stack(**{"access_key": ""} | {name: value for name, value in recorded.items() if name in known})
        if not isinstance(stack.port, int) or not isinstance(stack.pid, int | None):
            raise TypeError("port and pid must be whole numbers")
        if stack.access_key:
            listener.trust(stack.port, stack.access_key)
        return stack
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError):
        raise StepFailed(
            "The stack's record cannot be read.",
            f"  {folder.record}",
            f"Restore the file from a copy. To delete all data and start again: {command('up --fresh')}",
        ) from None


def no_proxy() -> dict[str, str]:
    """Return environment variables that keep calls of loopback from a proxy. The user's exclusions are included."""
    return {
        name: ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost"))) for name in ("NO_PROXY", "no_proxy")
    }


def subprocess_environment(stack: Stack | None = None) -> dict[str, str]:
    """Return the environment variables for a child process, without any AWS setting of the user.

    With ``stack``, AWS tools in the process call the emulator.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "AWS_ACCESS_KEY_ID": stack.access_key if stack else "none",
        "AWS_SECRET_ACCESS_KEY": stack.access_key if stack else "none",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **no_proxy(),
        "SAM_CLI_TELEMETRY": "0",
    }
    if stack is not None:
        environment["AWS_ENDPOINT_URL"] = stack.endpoint_url
    if uv := os.environ.get("UV"):  # `uv run` sets UV to the path of uv, but `sam build` searches the PATH for uv
        environment["PATH"] = f"{Path(uv).parent}{os.pathsep}{environment.get('PATH', '')}"
    environment.pop("VIRTUAL_ENV", None)
    return environment
