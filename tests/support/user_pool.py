"""Uses the user pool of a stack as the pool's administrators, users and machines do."""

import base64
import hashlib
import secrets
from collections.abc import Callable
from functools import cached_property
from typing import Any

import boto3
import httpx2
import jwt
from incidents_cli.local.local_stack import NAME, Stack, StackFolder

from tests.support.checkout import Caller

CALLBACK = "http://localhost:8765/callback"
PASSWORD = "Correct-horse-7-battery"
BOTH = "incidents/read incidents/write"


class Pool:
    """The user pool of a running stack. ``deploy`` deploys the stack again with other parameters."""

    def __init__(self, stack: Stack, home: StackFolder, http: httpx2.Client, deploy: Callable[..., Stack]) -> None:
        self.stack, self.home, self.http, self.deploy = stack, home, http, deploy
        described = stack.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        self.id = outputs["UserPoolId"]
        self.users, self.machine = outputs["Clients"].split(",")

    @cached_property
    def cognito(self) -> Any:
        key = self.stack.access_key
        session: Any = boto3.Session(key, key, region_name="us-east-1")
        client: Any = session.client("cognito-idp", endpoint_url=self.stack.endpoint_url)
        # botocore does not sign a user's own requests, but the local stack's guard refuses requests without the stack's
        # key. So add the key.
        client.meta.events.register("before-send.cognito-identity-provider.UpdateUserAttributes", self._add_key)
        return client

    def _add_key(self, request: Any, **_: object) -> None:
        request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={self.stack.access_key}/"

    def add_user(self, name: str, tenant: str | None) -> str:
        """Create a user as an administrator does, and return the user's name for signing in."""
        email = f"{name}@example.com"
        attributes = [{"Name": "custom:tenant_id", "Value": tenant}] if tenant else []
        self.cognito.admin_create_user(
            UserPoolId=self.id, Username=email, MessageAction="SUPPRESS", TemporaryPassword=PASSWORD + "!",
            UserAttributes=attributes,
        )  # fmt: skip
        self.cognito.admin_set_user_password(UserPoolId=self.id, Username=email, Password=PASSWORD, Permanent=True)
        return email

    def sign_in(self, email: str, scope: str = f"openid {BOTH}", verifier: str | None = None) -> httpx2.Response:
        """Sign in as a browser or a command line does (page, code, PKCE); return the response to the code exchange."""
        own = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(own.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": self.users, "redirect_uri": CALLBACK, "response_type": "code", "scope": scope, "state": "x",
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        assert self.http.get(f"{self.stack.endpoint_url}/oauth2/authorize", params=asked).status_code == 200
        form = asked | {"username": email, "password": PASSWORD}
        back = httpx2.URL(self.http.post(f"{self.stack.endpoint_url}/login", data=form).headers["location"])
        assert back.params["state"] == "x"
        return self.token(
            grant_type="authorization_code", client_id=self.users, code=back.params["code"], redirect_uri=CALLBACK,
            code_verifier=verifier or own,
        )  # fmt: skip

    def as_machine(self, client: str, **asked: str) -> httpx2.Response:
        described = self.cognito.describe_user_pool_client(UserPoolId=self.id, ClientId=client)
        secret = described["UserPoolClient"]["ClientSecret"]
        return self.token(grant_type="client_credentials", client_id=client, client_secret=secret, **asked)

    def token(self, **form: str) -> httpx2.Response:
        return self.http.post(f"{self.stack.endpoint_url}/oauth2/token", data=form)

    def add_machine(self, *scopes: str) -> str:
        """Create a machine client as an administrator does, and return the client's id."""
        made = self.cognito.create_user_pool_client(
            UserPoolId=self.id, ClientName="another", GenerateSecret=True, AllowedOAuthFlowsUserPoolClient=True,
            AllowedOAuthFlows=["client_credentials"], AllowedOAuthScopes=["incidents/read", "incidents/write", *scopes],
        )  # fmt: skip
        client: str = made["UserPoolClient"]["ClientId"]
        return client

    def claims(self, token: str) -> dict[str, Any]:
        """Check the signature of a token against the pool's keys, and return the token's claims."""
        keys = self.http.get(f"{self.stack.endpoint_url}/{self.id}/.well-known/jwks.json").json()["keys"]
        kid = jwt.get_unverified_header(token)["kid"]
        (key,) = (jwt.PyJWK(key) for key in keys if key["kid"] == kid)
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})
        return claims

    def caller(self, token: str) -> Caller:
        return Caller(self.http, self.stack.incidents_url, {"authorization": f"Bearer {token}"})
