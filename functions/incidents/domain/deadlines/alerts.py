"""Compute the times at which to announce that a report is due soon or was missed.

Each date of a stage has thresholds. A threshold is a kind of alert with its time. The kinds are:

half             half of the term has passed
four_fifths      four fifths of the term have passed
hour_before      one hour is left, and the term has more than two hours
missed           the report was not submitted in time
anchor_missing   half of the term has passed since the detection, or since the regime was named. Nobody has recorded
                 the awareness, so there is no due date.
not_classified   an incident is not classified 20 hours after awareness (DORA)

For each date, the head stores the kinds that are done. If a kind is done, all earlier kinds are done, too. When the job
sees a date for the first time, several of its thresholds may already be past. Then the job announces only the last of
these thresholds. If the date itself has been past for more than seven days by then, the job announces nothing.

If a tenant switches kinds on, several of their thresholds may already be past, too. Then the job announces only the
last past threshold of a date, unless this kind is done. A kind stays done while it is switched off.

A date is paused while its report is submitted in time, and while its incident is deleted or dismissed. A paused date
has no alerts, but the head keeps it. When the pause ends, the job announces only the last of the past thresholds. It
does so even if the date has been past for more than seven days, because the job did not see the date too late.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .. import timestamps

PAUSED = "paused"
"""The mark of a paused date among its done kinds in ``Kept``."""
APPROACHING = ("half", "four_fifths", "hour_before", "anchor_missing", "not_classified")
"""The kinds that a tenant's settings can choose."""
MISSED = "missed"
_KINDS = (*APPROACHING, MISSED)
_HOUR = 3_600_000
_TOO_OLD = 7 * 24 * _HOUR


class Threshold(NamedTuple):
    """A kind of alert and its time. The time is in milliseconds since 1970."""

    kind: str
    at: int


class Watched(NamedTuple):
    """A date of a stage with its thresholds, in the order of their times.

    ``date`` is the due date or, if ``is_due`` is false, the date that the rule would give. A paused date has
    thresholds, but no alerts.
    """

    regime: str
    stage: str
    date: str
    is_due: bool
    thresholds: Sequence[Threshold]
    is_paused: bool = False

    @property
    def key(self) -> str:
        """The name of the date in ``Kept``."""
        return f"{self.regime}/{self.stage}/{'due' if self.is_due else self.thresholds[0].kind}/{self.date}"


class Alert(NamedTuple):
    """An alert to announce: a date of a stage, and the kind and the time of its threshold."""

    watched: Watched
    threshold: Threshold

    def dedup_key(self, incident_id: str) -> str:
        """Return the deduplication key of the alert. All deliveries of one alert have the same key, and no other alert
        has it.
        """
        watched = self.watched
        return "/".join((incident_id, watched.regime, watched.stage, self.threshold.kind, watched.date))


Kept = Mapping[str, Sequence[str]]
"""The kinds of alerts that are done, by the key of the date. A paused date also has PAUSED."""


def of_due_date(begin: str, due_at: str, late_from: int, wanted: Sequence[str], *, is_open: bool) -> list[Threshold]:
    """Return the thresholds of a due date. ``begin`` is the time at which the term began. ``wanted`` has the kinds that
    the tenant chose.

    If a report was submitted too late, its stage is not open, and ``missed`` is its only threshold.
    """
    first, last = timestamps.to_milliseconds(begin), timestamps.to_milliseconds(due_at)
    term = last - first
    thresholds = [Threshold(MISSED, late_from)]
    if is_open and term > 0:
        thresholds += [Threshold("half", first + term // 2), Threshold("four_fifths", first + term * 4 // 5)]
        if term > 2 * _HOUR:
            thresholds.append(Threshold("hour_before", last - _HOUR))
    chosen = [threshold for threshold in thresholds if threshold.kind in (MISSED, *wanted)]
    return sorted(chosen, key=lambda threshold: (threshold.at, _KINDS.index(threshold.kind)))


def of_missing_awareness(base: str, date: str) -> Threshold:
    """Return the threshold of a stage whose awareness nobody has recorded.

    ``base`` is the time at which the incident was detected or the regime was named. ``date`` is the due date that the
    rule would give if the term had begun at ``base``.
    """
    first, last = timestamps.to_milliseconds(base), timestamps.to_milliseconds(date)
    return Threshold("anchor_missing", first + (last - first) // 2)


def remembered(kept: Kept, watched: Sequence[Watched], now: int, awaited_at: int | None) -> dict[str, list[str]]:
    """Return the done kinds of the watched dates, as they are before the announcements of this run.

    ``awaited_at`` is the time of the next alert after the last run, or None if that run left no alert. All times are in
    milliseconds since 1970.
    """
    after = {}
    for date in watched:
        past = [threshold for threshold in date.thresholds if threshold.at <= now]
        noted = kept.get(date.key)
        if noted is None:
            is_too_old = now - timestamps.to_milliseconds(date.date) > _TOO_OLD
            skipped = past if is_too_old else past[:-1]
        else:
            # The last run did not await what is before ``first``: the date was paused, or a kind was switched off.
            first = None if PAUSED in noted else awaited_at
            skipped = [threshold for threshold in past[:-1] if first is None or threshold.at < first]
        done = {*(noted or ()), *_and_earlier(date, noted or ()), *(threshold.kind for threshold in skipped)}
        after[date.key] = _in_order(date, done)
    return after


def due(kept: Kept, watched: Sequence[Watched], now: int) -> list[Alert]:
    """Return the alerts that are due and not done, in the order of their times."""
    waiting = [alert for alert in _waiting(kept, watched) if alert.threshold.at <= now]
    return sorted(waiting, key=lambda alert: alert.threshold.at)


def next_at(kept: Kept, watched: Sequence[Watched]) -> int | None:
    """Return the time of the next alert that is not done, in milliseconds since 1970, or None if no alert is left."""
    return min((alert.threshold.at for alert in _waiting(kept, watched)), default=None)


def with_done(kept: Kept, alerts: Sequence[Alert]) -> dict[str, list[str]]:
    """Return the done kinds of all dates after some alerts were announced."""
    after = {key: [*kinds] for key, kinds in kept.items()}
    for watched, threshold in alerts:
        done = {*after.get(watched.key, ()), threshold.kind}
        after[watched.key] = _in_order(watched, done)
    return after


def _and_earlier(watched: Watched, done: Sequence[str]) -> set[str]:
    """Return the done kinds of a date, and all kinds that are earlier than one of them."""
    order = [threshold.kind for threshold in watched.thresholds]
    last = max((n for n, kind in enumerate(order, start=1) if kind in done), default=0)
    return {*order[:last]}


def _in_order(watched: Watched, done: set[str]) -> list[str]:
    """Return the done kinds of a date in a fixed order, in the form of ``Kept``."""
    kinds = [kind for kind in _KINDS if kind in done]
    return [*kinds, PAUSED] if watched.is_paused else kinds


def _waiting(kept: Kept, watched: Sequence[Watched]) -> list[Alert]:
    return [
        Alert(date, threshold)
        for date in watched
        for threshold in date.thresholds
        if not date.is_paused and threshold.kind not in kept.get(date.key, ())
    ]
