// One incident: its fields by purpose, and its history.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Moves, Removal, Take } from "./act";
import type { Api, Incident } from "./api";
import { Card, ids } from "./card";
import { STATUSES } from "./bounds";
import { DeadlinesCard, Overdue } from "./deadlines";
import { kept } from "./draft";
import { Findings } from "./findings";
import { members, written } from "./json";
import { type Loaded, useLoad, useNow } from "./load";
import { Copyable, CopyLink, Pending, Prose, say, Severity, Stale, Text, Time, useHeading } from "./parts";
import { editAt, go, HOME, incidentAt } from "./place";
import { dollars, duration, minutesBetween, visible, words } from "./texts";
import { History, readTrail, type Trail } from "./timeline";

export function IncidentView({ api, id, change, listHash }: { api: Api; id: string; change: string; listHash: string }) {
  const loaded = useLoad(id, api.session, (signal) => api.incident(id, signal));
  const trail = useLoad(id, api.session, (signal) => readTrail(api, id, signal));
  const one = loaded.value;
  return (
    <main id="main">
      <p class="crumbs"><a href={listHash || HOME}>List</a> <span aria-hidden="true">›</span> {one
        ? <Copyable text={one.incident_number} label="incident number" /> : "Incident"} <CopyLink /></p>
      {one ? <Details api={api} of={one} change={change} loaded={loaded} trail={trail} /> : (
        <><h1 class="hidden">Incident</h1><Pending of={loaded} what="the incident" /></>
      )}
    </main>
  );
}

/** Find the incident with a number, and go to its own address. */
export function ByNumber({ api, number }: { api: Api; number: string }) {
  const loaded = useLoad(number, api.session, (signal) => api.list(new URLSearchParams({ incident_number: number }), signal));
  const one = loaded.value?.items[0];
  useEffect(() => {
    if (one) go(incidentAt(one.id), true);
  }, [one]);
  useHeading(number);
  return (
    <main id="main">
      <h1 class="hidden" tabIndex={-1}>Incident <Text of={number} /></h1>
      {loaded.value && !one ? (
        <div class="state">
          <h2>There is no incident with the number <Text of={number} /></h2>
          <p>It may belong to another tenant, or it was deleted.</p>
          <div class="actions"><a class="button" href={HOME}>Open incidents</a></div>
        </div>
      ) : <Pending of={loaded} what="the incident" />}
    </main>
  );
}

function Details(
  { api, of: one, change, loaded, trail }: { api: Api; of: Incident; change: string; loaded: Loaded<Incident>; trail: Loaded<Trail> },
) {
  const alerts = ids(one.triggered_by_alert_ids, "alert");
  const writes = api.session.person.writes && !one.is_deleted;
  const draft = writes ? kept(`${one.id} edit`) : null;
  const again = () => {
    loaded.again();
    trail.again();
  };
  const edit = (part: string): string => (writes ? editAt(one.id, part) : "");
  const found = one.created_by.startsWith("system:");
  const reports = one.reportable_to.length > 0 || !!one.regulatory_reports;
  const [removes, setRemoves] = useState(false);
  const heading = useHeading(`${one.incident_number} ${visible(one.title)}`);
  useEffect(() => {
    heading.current?.focus();
    say("");
  }, [one.id]);
  return (
    <>
      <header class="title">
        <h1 ref={heading} tabIndex={-1}><Text of={one.title} /></h1>
        <Severity of={one.severity} />
        <span class="muted">{one.owner_id === null ? "no owner" : <>owner <Text of={one.owner_id} /></>}</span>
        {writes && <span class="controls"><Take api={api} of={one} done={again} /> <a class="button" href={editAt(one.id)}>Edit</a></span>}
      </header>
      {draft && <p class="note">You have unsaved changes of this incident. <a href={editAt(one.id)}>Continue</a></p>}
      {one.is_deleted && <p class="note">Deleted {one.deleted_at && <Time at={one.deleted_at} />} by <Text of={one.deleted_by ?? ""} />.
        {api.session.person.writes && <> <button type="button" onClick={() => setRemoves(true)}>Restore</button></>}</p>}
      <Life of={one} />
      {writes && <Moves api={api} of={one} done={again} closing={reports && <Overdue api={api} of={one} />} />}
      <Stale of={loaded} />
      <div class="columns">
        <div>
          <What of={one} trail={trail.value} edit={edit("what")} />
          {found && <Findings key={one.id} api={api} id={one.id} alerts={alerts} />}
          <When of={one} edit={edit("when")} />
          <History api={api} of={trail} id={one.id} number={one.incident_number} change={change} />
          <FollowUp of={one} edit={edit("follow-up")} />
        </div>
        <div>
          {reports && <DeadlinesCard api={api} of={one} writes={writes} done={again} />}
          <Reporting of={one} edit={edit("reporting")} />
          {!found && <Card title="Findings" rows={[["Alerts", alerts]]} />}
          <People of={one} edit={edit("people")} />
          <Impact of={one} edit={edit("impact")} />
          <Identity of={one} />
          {api.session.person.writes && <Removal key={String(one.is_deleted)} api={api} of={one} done={again} open={removes} setOpen={setRemoves} />}
        </div>
      </div>
    </>
  );
}

/** An incident, and the address of the form for one of its parts. Without a form, the address is empty. */
interface Part { of: Incident; edit: string }

/** The statuses as a line. A dismissed incident has only its end. */
function Life({ of: one }: { of: Incident }) {
  if (one.status === "dismissed") return <p class="note">This incident is dismissed. The history shows who dismissed it.</p>;
  const line = STATUSES.filter((status) => status !== "dismissed");
  const reached = line.indexOf(one.status as (typeof line)[number]);
  return (
    <ol class="life" aria-label="Status">
      {line.map((status, index) => (
        <li key={status} class={index < reached ? "past" : index === reached ? "now" : ""}
          aria-current={index === reached ? "step" : undefined}>{status}</li>
      ))}
    </ol>
  );
}

const text = (value: string | null): ComponentChildren => (value === null ? null : <Text of={value} />);
const plain = (values: string[]): ComponentChildren =>
  values.length === 0 ? null : values.map((one, index) => <span key={one}>{index > 0 && ", "}<Text of={one} /></span>);

/** Return who last changed the severity, and when: the first question about a severe incident. */
function severity(one: Incident, trail: Trail | null): ComponentChildren {
  const last = trail?.complete ? trail.changes.filter((change) => "severity" in change.changes).at(-1) : undefined;
  const from = last?.changes["severity"]?.from;
  return (
    <>
      <Severity of={one.severity} />{" "}
      {last ? (
        <span class="muted">{typeof from === "string" ? `was ${from}, ` : ""}set by <Text of={last.by} />, <Time at={last.at} /></span>
      ) : trail?.complete && <span class="muted">since it was created by <Text of={one.created_by} /></span>}
    </>
  );
}

const What = ({ of: one, trail, edit }: Part & { trail: Trail | null }) => (
  <Card title="What happened" edit={edit} rows={[
    ["Severity", severity(one, trail)],
    ["Root cause", one.root_cause === null ? null : <Prose text={one.root_cause} />],
    ["Category", one.category === null ? null : <Text of={words(one.category)} />],
    ["Affected assets", ids(one.affected_asset_ids, "asset")],
    ["Affected accounts", ids(one.affected_account_ids, "account")],
    ["Tags", plain(one.tags)],
    ["Source", <><Text of={one.source} /><span class="muted"> · {one.source_type}</span></>],
  ]}>
    {one.description !== null && <Prose text={one.description} />}
    {one.description === null && <p class="muted">Nobody has described this incident yet.</p>}
  </Card>
);

function When({ of: one, edit }: Part) {
  const now = useNow();
  const after = (minutes: number | null, what: string): ComponentChildren =>
    minutes === null ? null : <span class="muted"> · {duration(minutes)} {what}</span>;
  const contained = one.detected_at && one.contained_at ? minutesBetween(one.detected_at, one.contained_at) : null;
  const created = one.detected_at ? minutesBetween(one.detected_at, one.created_at) : 0;
  const at = (value: string | null, remark: ComponentChildren = null): ComponentChildren =>
    value === null ? null : <><Time at={value} />{remark}</>;
  const over = one.status === "closed" || one.status === "dismissed";
  return (
    <Card title="When" edit={edit} rows={[
      ["Began", at(one.occurred_at)],
      ["Detected", at(one.detected_at, after(one.mttd_minutes, one.occurred_at ? "after it began" : "to detect, as imported"))],
      ["Created", at(one.created_at, after(created > 0 ? created : null, "after detection"))],
      ["Reported", at(one.reported_at)],
      ["Contained", at(one.contained_at, after(contained, "after detection"))],
      ["Closed", one.closed_at ? at(one.closed_at, after(one.mttr_minutes, "after detection"))
        : over ? null : <span class="muted">not closed, open for {duration(minutesBetween(one.detected_at ?? one.created_at, now))}</span>],
    ]} />
  );
}

const Reporting = ({ of: one, edit }: Part) => (
  <Card title="Reporting" edit={edit} rows={[
    ["Reportable to", plain(one.reportable_to)],
    ["Regulators told", one.reported_to_regulators_at && <Time at={one.reported_to_regulators_at} />],
    ["Customers told", one.customer_notified_at && <Time at={one.customer_notified_at} />],
  ]} />
);

const People = ({ of: one, edit }: Part) => (
  <Card title="People" edit={edit} rows={[
    ["Owner", one.owner_id === null ? <span class="muted">nobody</span> : text(one.owner_id)],
    ["Commanders", plain(one.commander_ids)],
    ["Created by", <><Text of={one.created_by} /><br /><span class="muted"><Time at={one.created_at} /></span></>],
    ["Last change", <><Text of={one.updated_by} /><br /><span class="muted"><Time at={one.updated_at} /></span></>],
  ]} />
);

const Impact = ({ of: one, edit }: Part) => (
  <Card title="Impact" edit={edit} rows={[
    ["Financial impact", one.financial_impact === null ? null : dollars(one.financial_impact)],
    ["Realized risks", ids(one.realized_risk_ids, "risk")],
  ]} />
);

const FollowUp = ({ of: one, edit }: Part) => (
  <Card title="Follow-up" edit={edit} rows={[
    ["Corrective actions", ids(one.corrective_action_ids, "action")],
    ["Investigations", ids(one.consolidated_investigation_ids, "investigation")],
    ["Lessons learned", one.lessons_learned === null || one.lessons_learned === undefined ? null : <Lessons of={one.lessons_learned} />],
  ]} />
);

/** Any JSON, as nested lists. */
function Lessons({ of: value }: { of: unknown }) {
  if (Array.isArray(value)) return <ul class="json">{value.map((one, index) => <li key={index}><Lessons of={one} /></li>)}</ul>;
  const own = members(value);
  if (own) {
    return (
      <ul class="json">{own.map(([name, one]) => (
        <li key={name}><span class="muted"><Text of={words(name)} />:</span> <Lessons of={one} /></li>
      ))}</ul>
    );
  }
  return typeof value === "string" ? <Prose text={value} /> : <code>{written(value)}</code>;
}

const Identity = ({ of: one }: { of: Incident }) => (
  <Card title="Identifiers" rows={[
    ["Number", <Copyable text={one.incident_number} label="incident number" />],
    ["Id", <Copyable text={one.id} label="incident id" />],
    ["Version", String(one.version)],
    one.app_id !== undefined && ["Application", <Copyable text={one.app_id} label="application id" />],
  ]} />
);
