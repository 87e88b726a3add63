"""Load the modules of the handlers by their path, because these modules are in no package."""

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from ...local.local_stack import CHECKOUT


@cache
def load(operation: str) -> ModuleType:
    """Return the handler module of an operation like ``create_incident``. Raises FileNotFoundError if it is missing."""
    spec = spec_from_file_location(operation, CHECKOUT / "functions" / f"{operation}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(operation)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
