"""Print a template as SAM translates it.

Run it with `uvx --from aws-sam-cli python -m tests.support.translate < template.json`.

This module runs in SAM's own environment, which has another version of pydantic than the functions. So the module
imports nothing else from this repository.
"""

import json
import os
import sys

from samtranslator.public.translator import ManagedPolicyLoader  # type: ignore[import-not-found]
from samtranslator.translator.transform import transform  # type: ignore[import-not-found]


def main() -> None:
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    template = json.load(sys.stdin)
    for resource in template["Resources"].values():  # `sam package` would upload the named code
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
        if resource["Type"] == "AWS::Serverless::Application":
            resource["Properties"]["Location"] = "https://bucket.s3.amazonaws.com/key"
    template["Globals"]["Function"].pop("CodeUri")
    json.dump(transform(template, {}, ManagedPolicyLoader(None)), sys.stdout)


if __name__ == "__main__":
    main()
