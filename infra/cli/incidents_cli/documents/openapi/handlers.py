"""Load the handlers' modules by path: they are at the root of the deployed folder and have no package."""

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from ...local.local_stack import CHECKOUT


@cache
def load(operation: str) -> ModuleType:
    """Return the module of an operation like ``create_incident``. Raises FileNotFoundError if there is none."""
    spec = spec_from_file_location(operation, CHECKOUT / "functions" / f"{operation}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(operation)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
