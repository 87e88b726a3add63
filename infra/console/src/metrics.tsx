// How long incidents take: four figures, their trends, groups, and what is counted.
import { useEffect } from "preact/hooks";
import type { Api, Durations, Metrics } from "./api";
import { Chart, type Point } from "./chart";
import { type Cell, Save } from "./csv";
import { type Loaded, useLoad } from "./load";
import { CopyLink, Menu, Pending, say, Stale, Text, Time, useHeading } from "./parts";
import { go, listAt, metricsAt } from "./place";
import { counted, duration, utcDay, words } from "./texts";

type Window = { label: string; from: string; to: string; interval: "day" | "week" | "month" };
const DAY = 86_400_000;
const iso = (at: number | Date): string => new Date(at).toISOString().slice(0, 10);

/** The windows that most people ask for, in UTC days as the service counts them. */
function windows(today: Date): Window[] {
  const [year, month] = [today.getUTCFullYear(), today.getUTCMonth()];
  const to = iso(today);
  const monday = today.getTime() - ((today.getUTCDay() + 6) % 7) * DAY;
  return [
    { label: "Last 30 days", from: iso(today.getTime() - 29 * DAY), to, interval: "day" },
    { label: "This month", from: iso(Date.UTC(year, month, 1)), to, interval: "day" },
    { label: "Last month", from: iso(Date.UTC(year, month - 1, 1)), to: iso(Date.UTC(year, month, 0)), interval: "day" },
    { label: "Last 12 weeks", from: iso(monday - 11 * 7 * DAY), to, interval: "week" },
    { label: "Last 12 months", from: iso(Date.UTC(year, month - 11, 1)), to, interval: "month" },
  ];
}

const KINDS = [
  { name: "mttd", title: "Time to detect", short: "MTTD", verb: "detected", by: "detection" },
  { name: "time_to_contain", title: "Time to contain", short: "", verb: "detected", by: "detection" },
  { name: "mttr", title: "Time to resolve", short: "MTTR", verb: "closed", by: "closing" },
] as const;

export function MetricsView({ api, query }: { api: Api; query: URLSearchParams }) {
  const key = query.toString();
  const loaded = useLoad(key, api.session, (signal) => api.metrics(query, signal));
  const heading = useHeading("Metrics");
  useEffect(() => {
    heading.current?.focus();
  }, []);
  useEffect(() => {
    if (loaded.value) say(`Metrics from ${utcDay(loaded.value.from)} to ${utcDay(loaded.value.to, true)}`);
  }, [loaded.value]);
  return (
    <main id="main">
      <header class="title">
        <h1 ref={heading} tabIndex={-1}>How long incidents take</h1>
        <Controls query={query} />
        {loaded.value && <span class="controls"><CopyLink to={fixed(loaded.value, query)} /><Save name={`metrics ${loaded.value.from} ${loaded.value.to}`} rows={() => table(loaded.value)} /></span>}
      </header>
      {loaded.value ? <Figures of={loaded.value} loaded={loaded} query={query} /> : (
        <Pending of={loaded} what="the metrics"><button type="button" onClick={() => go("#/metrics?")}>Show the last 30 days</button></Pending>
      )}
    </main>
  );
}

function Controls({ query }: { query: URLSearchParams }) {
  const all = windows(new Date());
  const chosen = all.find(({ from, to }) => query.get("from") === from && query.get("to") === to)
    ?? (query.has("from") || query.has("to") ? null : all[0]);
  const set = (values: Record<string, string>) => {
    const next = new URLSearchParams(query);
    for (const [name, value] of Object.entries(values)) next.set(name, value);
    go(metricsAt(next));
  };
  return (
    <div class="controls">
      <Menu label={chosen?.label ?? `${query.get("from") ?? "…"} to ${query.get("to") ?? "today"}`} on={true}>
        {(close) => (
          <>
            <ul class="windows">{all.map(({ label, from, to, interval }) => (
              <li key={label}><button type="button" class="quiet" aria-current={label === chosen?.label} onClick={() => {
                close();
                set({ from, to, interval });
              }}>{label}</button></li>
            ))}</ul>
            <form class="fields" onSubmit={(event) => {
              event.preventDefault();
              const form = new FormData(event.currentTarget);
              close();
              set({ from: String(form.get("from")), to: String(form.get("to")) });
            }}>
              <label>From <input name="from" type="date" required value={query.get("from") ?? all[0]?.from} /></label>
              <label>To <input name="to" type="date" required value={query.get("to") ?? all[0]?.to} /></label>
              <p class="small">Days in UTC, at most 366</p>
              <button type="submit" class="primary">Apply</button>
            </form>
          </>
        )}
      </Menu>
      <label><span class="hidden">Trend by</span>
        <select value={query.get("interval") ?? "day"} onChange={({ currentTarget }) => set({ interval: currentTarget.value })}>
          <option value="day">By day</option><option value="week">By week</option><option value="month">By month</option>
        </select>
      </label>
      <label><span class="hidden">Compare by</span>
        <select value={query.get("group_by") ?? "severity"} onChange={({ currentTarget }) => set({ group_by: currentTarget.value })}>
          <option value="severity">By severity</option><option value="category">By category</option>
          <option value="app">By application</option><option value="none">No groups</option>
        </select>
      </label>
    </div>
  );
}

function Figures({ of: metrics, loaded, query }: { of: Metrics; loaded: Loaded<Metrics>; query: URLSearchParams }) {
  const interval = query.get("interval") ?? "day";
  return (
    <>
      <p class="muted">
        {utcDay(metrics.from)} to {utcDay(metrics.to, true)}, in UTC days.
        {metrics.computed_at && <> The oldest of these days was computed <Time at={metrics.computed_at} />, the others later.</>}
        {metrics.pending_days > 0 && <strong> {counted(metrics.pending_days, "day")} of this window {metrics.pending_days === 1 ? "waits" : "wait"} to be computed again, so figures may still change.</strong>}
      </p>
      <Stale of={loaded} />
      <div class="figures">
        {KINDS.map((kind) => <Figure key={kind.name} kind={kind} of={metrics[kind.name]} list={kind.verb === "detected" ? detectedIn(metrics) : ""} />)}
        <section class="card figure">
          <h2>Still open</h2>
          <p class="number">{metrics.open.n}</p>
          <p class="small muted"><a href={detectedIn(metrics, { open: "true" })}>of those detected in this window</a></p>
          {metrics.open.n > 0 && (
            <p class="small muted pieces"><span>median age {duration(metrics.open.p50 ?? 0)}</span> <span>oldest {duration(metrics.open.max ?? 0)}</span></p>
          )}
        </section>
      </div>
      {KINDS.map((kind) => (
        <Trend key={kind.name} kind={kind} interval={interval}
          points={metrics.trend.map((span) => ({ from: span.from, to: span.to, durations: span[kind.name] }))} />
      ))}
      {metrics.groups.length > 0 && <Groups of={metrics} by={query.get("group_by") ?? "severity"} />}
      <Counted of={metrics} />
    </>
  );
}

/** Return the address of the metrics of these very days, so that a link shows the same window tomorrow. */
function fixed({ from, to }: Metrics, query: URLSearchParams): string {
  const days = new URLSearchParams(query);
  days.set("from", from);
  days.set("to", to);
  return metricsAt(days);
}

/** Return all figures of the page as rows. Times are in minutes. */
function table(metrics: Metrics | null): Cell[][] {
  if (!metrics) return [];
  const rows: Cell[][] = [["figure", "of", "from", "to", "incidents", "imported", "mean (min)", "median (min)", "p90 (min)", "p95 (min)"]];
  const add = (of: string, from: string, to: string, durations: Pick<Metrics, (typeof KINDS)[number]["name"]>) => KINDS.forEach(({ name, title }) => {
    const { n, imported, mean, p50, p90, p95 } = durations[name];
    rows.push([title, of, from, to, n, imported, mean, p50, p90, p95]);
  });
  const { from, to } = metrics;
  add("all", from, to, metrics);
  for (const span of metrics.trend) add("span", span.from, span.to, span);
  for (const group of metrics.groups) add(group.group ?? "none", from, to, group);
  if (metrics.other) add("all others", from, to, metrics.other);
  return rows;
}

type KindOf = (typeof KINDS)[number];

/** Return the address of the list of the incidents that were detected in the window. */
const detectedIn = ({ from, to }: Metrics, more: Record<string, string> = {}): string =>
  listAt(new URLSearchParams({ ...more, detected_from: `${from}T00:00:00.000Z`, detected_to: `${to}T23:59:59.999Z`, order: "detected" }));

/** A mean, and how many incidents it has. The API has no filter for the day of closing, so MTTR links to no list. */
const Figure = ({ kind, of, list }: { kind: KindOf; of: Durations; list: string }) => (
  <section class="card figure">
    <h2>{kind.title}{kind.short && <span class="muted"> · {kind.short}</span>}</h2>
    <p class="number">{of.mean === null ? "–" : duration(of.mean)}</p>
    <p class="small muted">{of.mean === null ? "no incident with both times in this window" : (
      <>
        mean of {counted(of.n, "incident")}{of.imported > 0 && `, ${of.imported} imported`}
        {list && <> · <a href={list} title="The list also has the incidents that are left out of the mean">incidents of this window</a></>}
      </>
    )}</p>
    {of.mean !== null && (
      <p class="small muted pieces">
        <span>median {duration(of.p50 ?? 0)}</span> <span>p90 {duration(of.p90 ?? 0)}</span> <span>p95 {duration(of.p95 ?? 0)}</span>
      </p>
    )}
  </section>
);

function Trend({ kind, interval, points }: { kind: KindOf; interval: string; points: Point[] }) {
  const known = points.filter(({ durations }) => durations.n > 0);
  const title = `${kind.title}, by ${interval} of ${kind.by}`;
  return (
    <section class="card">
      <h2>{kind.title} <span class="muted">· by {interval} of {kind.by}</span></h2>
      {known.length === 0 ? <p class="muted">Nothing was {kind.verb} with both times in this window.</p> : known.length === 1 && known[0] ? (
        <p>Only the {interval} from {utcDay(known[0].from, true)} has a value: mean {duration(known[0].durations.mean ?? 0)},
          median {duration(known[0].durations.p50 ?? 0)}, p90 {duration(known[0].durations.p90 ?? 0)},
          of {counted(known[0].durations.n, "incident")}.</p>
      ) : (
        <>
          <p class="legend small"><span class="mean">mean</span> <span class="median">median</span> <span class="p90">p90: 9 of 10 took at most this long</span>
            {known.length < points.length && <span class="muted">A gap is a {interval} without a value.</span>}</p>
          <Chart points={points} label={`${title}. ${counted(known.length, interval)} of ${points.length} have a value. The table below has the figures.`} />
          <details>
            <summary>Figures as a table</summary>
            <div class="scroll" tabIndex={0} role="region" aria-label={`Figures of ${title}`}>
              <table>
                <thead><tr><th scope="col">From</th><th scope="col">Incidents</th><th scope="col">Mean</th><th scope="col">Median</th><th scope="col">p90</th><th scope="col">p95</th></tr></thead>
                <tbody>{known.map(({ from, durations }) => (
                  <tr key={from}><th scope="row">{utcDay(from, true)}</th><td>{durations.n}</td>
                    {[durations.mean, durations.p50, durations.p90, durations.p95].map((value, index) => <td key={index}>{duration(value ?? 0)}</td>)}</tr>
                ))}</tbody>
              </table>
            </div>
          </details>
        </>
      )}
    </section>
  );
}

const ORDER = ["critical", "high", "medium", "low", "informational"];

function Groups({ of: metrics, by }: { of: Metrics; by: string }) {
  const groups = by === "severity"
    ? [...metrics.groups].sort((a, b) => (ORDER.indexOf(a.group ?? "") + 6) % 6 - (ORDER.indexOf(b.group ?? "") + 6) % 6)
    : metrics.groups;
  const rows = [
    ...groups.map((one) => ({ name: one.group === null ? `no ${by}` : words(one.group), ...one })),
    ...(metrics.other ? [{ name: "all others", ...metrics.other }] : []),
  ];
  const cell = (of: Durations) => of.mean === null ? <span class="muted">–</span>
    : <>{duration(of.mean)} <span class="small muted">of {of.n} · p90 {duration(of.p90 ?? 0)}</span></>;
  return (
    <section class="card">
      <h2>By {by === "app" ? "application" : by} <span class="muted">· mean, number of incidents and p90</span></h2>
      <div class="scroll" tabIndex={0} role="region" aria-label={`Figures by ${by}`}>
        <table class="groups">
          <thead><tr><th scope="col">{by === "app" ? "Application" : by === "category" ? "Category" : "Severity"}</th>
            {KINDS.map(({ title, name }) => <th key={name} scope="col">{title}</th>)}<th scope="col">Still open</th></tr></thead>
          <tbody>{rows.map((row) => (
            <tr key={row.name}><th scope="row"><Text of={row.name} /></th>
              {KINDS.map(({ name }) => <td key={name}>{cell(row[name])}</td>)}<td>{row.open.n}</td></tr>
          ))}</tbody>
        </table>
      </div>
      {metrics.approximate && <p class="small muted">{metrics.definitions.approximate}</p>}
    </section>
  );
}

const REASONS = { deleted: "deleted", dismissed: "dismissed", timestamps_missing: "a time is missing" } as const;

/** The service's definitions, and when the page shows what they define. */
const DEFINED: [name: keyof Metrics["definitions"], label: string, isShown: (of: Metrics) => boolean][] = [
  ["mttd", "Time to detect", () => true],
  ["time_to_contain", "Time to contain", () => true],
  ["mttr", "Time to resolve", () => true],
  ["percentiles", "Median, p90, p95", (of) => KINDS.some(({ name }) => of[name].n > 0)],
  ["imported", "Imported", (of) => KINDS.some(({ name }) => of[name].imported > 0)],
  ["window", "Window", () => true],
  ["open", "Still open", (of) => of.open.n > 0],
  ["excluded", "Left out", (of) => leftOut(of)],
  ["pending_days", "Waiting days", (of) => of.pending_days > 0],
];

const leftOut = ({ excluded }: Metrics): boolean => Object.values(excluded).some((counts) => Object.values(counts).some((n) => n > 0));

/** What this page says in place of a definition, because its readers do not know the words. */
const OURS: Partial<Record<keyof Metrics["definitions"], string>> = {
  percentiles: "At least half of the incidents took at most the median, 9 of 10 at most p90, and 19 of 20 at most p95. "
    + "Each of these figures is the time of one incident. They come from all incidents of the window, and not from figures of its days.",
  open: "Incidents detected in the window that are neither closed nor dismissed. Their age counts from detection until now.",
};

const PLAIN: Record<string, string> = {
  occurred_at: "“Began”", detected_at: "“Detected”", contained_at: "“Contained”", closed_at: "“Closed”", as_of: "now",
  timestamps_missing: "a time is missing", time_to_contain: "time to contain",
  "R is resolve": "The R of MTTR means resolve", "How many of n are minutes that a caller gave":
    "How many of the incidents have minutes that a caller gave",
};

/** Return a definition in the words of this page. */
const inWords = (definition: string): string =>
  Object.entries(PLAIN).reduce((text, [theirs, ours]) => text.replaceAll(theirs, ours), definition);

function Counted({ of: metrics }: { of: Metrics }) {
  const { definitions, excluded } = metrics;
  return (
    <section class="card">
      <h2>What is counted</h2>
      {leftOut(metrics) && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Incidents that are left out">
          <table class="groups">
            <thead><tr><th scope="col">Left out, because</th>{KINDS.map(({ title, name }) => <th key={name} scope="col">{title}</th>)}</tr></thead>
            <tbody>{(Object.keys(REASONS) as (keyof typeof REASONS)[]).map((reason) => (
              <tr key={reason}><th scope="row">{REASONS[reason]}</th>{KINDS.map(({ name }) => <td key={name}>{excluded[reason][name]}</td>)}</tr>
            ))}</tbody>
          </table>
        </div>
      )}
      <dl class="definitions">
        {DEFINED.filter(([, , isShown]) => isShown(metrics)).map(([name, label]) => (
          <div key={name}><dt>{label}</dt><dd>{OURS[name] ?? inWords(definitions[name])}</dd></div>
        ))}
      </dl>
    </section>
  );
}
