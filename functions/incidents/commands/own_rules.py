"""Read the names of a tenant's own rules for reports, if a request names reports."""

from collections.abc import Mapping

from ..domain import reports
from ..domain.reports import Names
from ..storage.settings import DEADLINES, TenantSettings


def known_names(body: object, settings: TenantSettings | None, *, is_patch: bool = False) -> Mapping[str, Names]:
    """Return the names of the regimes that a body may use. Raises Busy.

    A body that does not need the rules costs no read. ``settings`` are the tenant's settings, or None if it cannot have
    own rules.
    """
    if settings is None or not reports.needs_rules(body, is_patch=is_patch):
        return reports.RELEASED
    stored = settings.read(DEADLINES)
    return reports.known_names(stored.value if stored else None)
