"""Read the names of a tenant's own rules for reports, if a request names reports."""

from collections.abc import Mapping

from ..domain import reports
from ..domain.reports import Names
from ..storage.settings import DEADLINES, TenantSettings


def known_names(body: object, settings: TenantSettings | None, *, is_patch: bool = False) -> Mapping[str, Names]:
    """Return the names of the regimes that a body may use. Raises Busy.

    If the body does not need the tenant's rules, the function reads nothing. ``settings`` is None if the tenant cannot
    have its own rules.
    """
    if settings is None or not reports.needs_rules(body, is_patch=is_patch):
        return reports.RELEASED
    stored = settings.read(DEADLINES)
    return reports.known_names(stored.value if stored else None)
