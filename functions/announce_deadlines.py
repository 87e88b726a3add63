"""Schedule -> bus: update the board of deadlines, and announce the deadlines that approach or were missed."""

from incidents import deadline_jobs
from incidents.edges import deadline_schedule


@deadline_schedule.consumer
def handler(run: deadline_schedule.Run) -> list[str]:
    return deadline_jobs.announce_deadlines(run.marks, run.alerts, run.serving)
