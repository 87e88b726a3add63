// The trail of an incident as a timeline: who changed what, from which value to which. On demand, a check of its hashes.
import { useEffect, useState } from "preact/hooks";
import type { Api, Change } from "./api";
import { type Cell, Save } from "./csv";
import { check, verdict } from "./history";
import { Digits, written } from "./json";
import { useLoad } from "./load";
import { Pending, Prose, say, Severity, Stale, Text, Time } from "./parts";
import { changeAt } from "./place";
import { dollars, duration, moment, utc, words } from "./texts";

const PAGES = 10;

export interface Trail {
  changes: Change[];
  complete: boolean;
}

/** Return the trail, oldest first: at most its first 1 000 changes. */
export async function readTrail(api: Api, id: string, signal: AbortSignal): Promise<Trail> {
  const changes: Change[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES; page += 1) {
    const read = await api.changes(id, cursor, signal);
    changes.push(...read.items);
    cursor = read.next_cursor;
    if (cursor === null) return { changes, complete: true };
  }
  return { changes, complete: false };
}

export function History({ api, of: trail, id, number, change: linked }: { api: Api; of: ReturnType<typeof useLoad<Trail>>; id: string; number: string; change: string }) {
  useEffect(() => {
    if (trail.value) document.getElementById(`change-${linked}`)?.scrollIntoView({ block: "center" });
  }, [trail.value === null, linked]);
  if (!trail.value) return <section class="card"><h2>History</h2><Pending of={trail} what="the history" /></section>;
  const { changes, complete } = trail.value;
  return (
    <section class="card">
      <h2>History <span class="muted">· {changes.length === 1 ? "1 change" : `${changes.length} changes`}, newest first</span> <Save name={`history ${number}`} rows={() => [
        ["version", "at", "by", "action", "field", "from", "to"],
        ...changes.flatMap(({ version, at, by, action, changes: fields }) => {
          const begin = [version, at, by, action];
          const entries = Object.entries(fields);
          return entries.length === 0 ? [begin] : entries.map(([field, { from, to }]) => [...begin, field, plain(from), plain(to)]);
        }),
      ]} /></h2>
      <Stale of={trail} />
      {!complete && <p class="small">These are the first {changes.length} changes. `GET .../changes` has the rest.</p>}
      <Check key={changes.at(-1)?.version} api={api} id={id} />
      <ol class="timeline">
        {[...changes].reverse().map((change) => (
          <li key={change.version} id={`change-${change.version}`} class={String(change.version) === linked ? "linked" : ""}>
            <p><strong><Text of={change.by} /></strong> <span class="muted"><Time at={change.at} /></span>{" "}
              <a class="small" href={changeAt(id, change.version)} aria-label={`Link to change ${change.version}`}>#{change.version}</a></p>
            <Fields of={change} />
          </li>
        ))}
      </ol>
    </section>
  );
}

/** A button that checks the hashes of all changes, and what the check proves. */
function Check({ api, id }: { api: Api; id: string }) {
  const [checks, setChecks] = useState(0);
  return (
    <>
      <p class="controls"><button type="button" onClick={() => setChecks(checks + 1)}>Check history</button></p>
      {checks > 0 && <Verdict key={checks} api={api} id={id} />}
    </>
  );
}

function Verdict({ api, id }: { api: Api; id: string }) {
  const checked = useLoad(id, api.session, async (signal) => {
    const { incident, pages } = await api.history(id, signal);
    return check(incident, pages);
  });
  const found = checked.value && verdict(checked.value);
  useEffect(() => {
    if (found) say(found.text);
  }, [found?.text]);
  if (!found) return <Pending of={checked} what="all changes" />;
  return <><p class="note verdict">{found.text}</p>{found.limits && <p class="small muted">{found.limits}</p>}</>;
}

const VERBS: Record<Change["action"], string> = {
  created: "created the incident", updated: "", closed: "closed the incident", reopened: "reopened the incident",
  deleted: "deleted the incident", restored: "restored the incident",
};

/** What the cards of the incident call a field, where that differs from its name. */
const LABELS: Record<string, string> = {
  incident_number: "number", occurred_at: "began", reported_to_regulators_at: "regulators told", customer_notified_at: "customers told",
  mttd_minutes: "time to detect", mttr_minutes: "time to resolve", triggered_by_alert_ids: "alerts",
  consolidated_investigation_ids: "investigations", app_id: "application",
};
const label = (field: string): string => LABELS[field] ?? words(field);

function Fields({ of: change }: { of: Change }) {
  const changes = Object.entries(change.changes);
  const verb = change.action === "created" && change.by.startsWith("system:") ? "created from a finding" : VERBS[change.action];
  return (
    <>
      {verb && <p>{verb}</p>}
      {changes.map(([field, { from, to }]) => <Field key={field} name={field} from={from} to={to} />)}
      {change.evidence && <p class="small muted">from the event with the SHA-256 <code>{change.evidence.slice(0, 16)}…</code></p>}
      {change.dates && Object.entries(change.dates).map(([field, part]) => (
        <p key={field} class="small muted">{label(field)} taken from <code><Text of={String(part)} /></code> of the event</p>
      ))}
    </>
  );
}

function Field({ name, from, to }: { name: string; from: unknown; to: unknown }) {
  const [was, is] = [asList(from), asList(to)];
  const [added, removed] = [is.filter((one) => !was.includes(one)), was.filter((one) => !is.includes(one))];
  // Only lists of people's items have an order to tell. In JSON, the difference may be an item that is there twice, or a type.
  if ((Array.isArray(from) || Array.isArray(to)) && (name !== "lessons_learned" || added.length + removed.length > 0)) {
    return (
      <p class="field">{label(name)}
        {removed.map((one) => <span key={one}> − <s><Text of={one} /></s></span>)}
        {added.map((one) => <span key={one}> + <b><Text of={one} /></b></span>)}
        {added.length + removed.length === 0 && " in another order"}
      </p>
    );
  }
  const long = [from, to].some((value) => typeof value === "string" && value.length > 120);
  if (long) {
    return (
      <details class="field">
        <summary>{label(name)} {isUnset(from) ? "written" : isUnset(to) ? "removed" : "rewritten"}</summary>
        {!isUnset(from) && <><p class="small muted">Before</p><Prose text={shown(name, from)} /></>}
        {!isUnset(to) && <><p class="small muted">After</p><Prose text={shown(name, to)} /></>}
      </details>
    );
  }
  if (isUnset(from) && name !== "owner_id") return <p class="field">{label(name)} set to <Value name={name} of={to} /></p>;
  return <p class="field">{label(name)} <s><Value name={name} of={from} /></s> <span class="hidden">became</span><span aria-hidden="true">→</span> <Value name={name} of={to} /></p>;
}

const Value = ({ name, of }: { name: string; of: unknown }) => {
  if (isUnset(of)) return <span class="muted">{name === "owner_id" ? "nobody" : "nothing"}</span>;
  if (name === "severity") return <Severity of={String(of)} />;
  if (isMoment(name, of)) return <b><time dateTime={of} title={utc(of)}>{moment(of)}</time></b>;
  return <b><Text of={shown(name, of)} /></b>;
};

/** Return a value as a cell of a file. */
const plain = (value: unknown): Cell =>
  isUnset(value) ? null : typeof value === "string" || isNumber(value) ? value : written(value);
const isUnset = (value: unknown): boolean => value === null || value === undefined;
const isMoment = (name: string, value: unknown): value is string => name.endsWith("_at") && typeof value === "string";
const asList = (value: unknown): string[] => (Array.isArray(value) ? value : isUnset(value) ? [] : [value]).map(text);
const isNumber = (value: unknown): value is number | Digits => typeof value === "number" || value instanceof Digits;
const text = (value: unknown): string => (typeof value === "string" ? value : written(value));

/** Return a value as the cards show it. */
function shown(name: string, value: unknown): string {
  if (name === "financial_impact" && isNumber(value)) return dollars(value);
  if (name.endsWith("_minutes") && typeof value === "number") return duration(value);
  if (name === "category" && typeof value === "string") return words(value);
  return text(value);
}
