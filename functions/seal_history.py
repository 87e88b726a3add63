"""Schedule -> bucket: write signed manifests of the histories of the marked tenants."""

from incidents import sealing
from incidents.edges import history_schedule


@history_schedule.consumer
def handler(run: history_schedule.Run) -> list[str]:
    if run.order:
        return [sealing.seal_tenant(run.order, run.store, run.serving, run.settle_ms)]
    return sealing.seal_history(run.marks, run.store, run.serving, run.settle_ms)
