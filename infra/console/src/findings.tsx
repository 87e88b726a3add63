// The events that created or confirmed an incident: what an analyst asks first, and each event as it was received.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Api, Finding } from "./api";
import { Card, ids, type Row } from "./card";
import { written } from "./json";
import { useLoad } from "./load";
import { Copyable, Pending, Prose, Text, Time } from "./parts";
import { words } from "./texts";

/** The card of an incident that a finding created. Only such an incident has events. */
export const Findings = ({ api, id, alerts }: { api: Api; id: string; alerts: ComponentChildren }) => (
  <Card title="Findings" rows={[["Alerts", alerts]]}><Events api={api} id={id} cursor={null} /></Card>
);

/** A page of events, the oldest first. The button below it shows the next page. */
function Events({ api, id, cursor }: { api: Api; id: string; cursor: string | null }) {
  const page = useLoad(`${id} ${cursor}`, api.session, (signal) => api.findings(id, cursor, signal));
  const [more, setMore] = useState(false);
  const top = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (cursor) top.current?.focus(); // the button that had the focus is gone
  }, []);
  const next = page.value?.next_cursor;
  return (
    <div ref={top} tabIndex={-1}>
      {page.value ? page.value.items.map((one) => <Event key={one.sha256} of={one} />) : <Pending of={page} what="the events" />}
      {page.value?.items.length === 0 && !cursor && <p class="muted">The service has no event of this incident.</p>}
      {next && (more ? <Events key={next} api={api} id={id} cursor={next} />
        : <button type="button" onClick={() => setMore(true)}>Show later events</button>)}
    </div>
  );
}

/** One event. All its texts may be an attacker's, so its link is a text to copy, and leads nowhere by itself. */
function Event({ of: one }: { of: Finding }) {
  const { summary } = one;
  const states = Object.entries(summary.upstream_state);
  const rows: Row[] = [
    ["Remote addresses", ids(summary.remote_addresses, "address")],
    ["Principals", ids(summary.principals, "principal")],
    ["Link", summary.link === null ? null : <Copyable text={summary.link} label="link" />],
    ["Remediation", summary.remediation === null ? null : <Prose text={summary.remediation} />],
    ["Processes", ids(summary.processes, "process")],
    ["Images", ids(summary.images, "image")],
    ["State", states.length === 0 ? null : states.map(([name, state]) => (
      <div key={name}><span class="muted"><Text of={words(name)} />:</span> <Text of={state} /></div>
    ))],
  ];
  return (
    <>
      <Card title={<><Text of={one.source} /> <span class="muted">· <Time at={one.observed_at} /></span></>} level={3} rows={rows}>
        {one.rule && <p class="small muted">An incident because <Text of={one.rule} />.</p>}
      </Card>
      <Raw of={one} />
    </>
  );
}

/** The event as it was received. Its text is only made when somebody opens it. */
function Raw({ of: { event, is_cut, sha256 } }: { of: Finding }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(toggled) => setOpen(toggled.currentTarget.open)}>
      <summary>Event as received</summary>
      {open && (
        <>
          {is_cut && <p class="small">Notes replace some parts of the event. Each note begins with “(cut”.</p>}
          <p class="small">SHA-256: <Copyable text={sha256} label="SHA-256" /></p>
          <div class="raw"><Prose text={written(event, "  ")} /></div>
        </>
      )}
    </details>
  );
}
