// The list of incidents: filters, rows and paging. Its complete state is the address.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Api, Incident } from "./api";
import { byDetection, changed, edgeOf, forApi, further, isDate, NAMES, type Named, PAGE, SEVERITIES, STATUSES, toggled, withoutValue, withValue } from "./filters";
import { type Loaded, useLoad, useNow } from "./load";
import { Menu, Pending, say, Severity, Stale, Text, useHeading } from "./parts";
import { go, incidentAt, listAt } from "./place";
import { counted, day, duration, minutesBetween, utc, words } from "./texts";

interface Page {
  items: Incident[];
  next: string | null;
  /** Whether the search stopped before it found a full page. */
  stopped: boolean;
  /** How many matches were sorted by their detection, if the page sorted them. */
  sorted?: number;
}

const REQUESTS_OF_A_PAGE = 12;

/** The cursor of the page before, by the cursor of a page. It serves the button Previous of this browser window. */
const before = new Map<string, string>();
/** The incident that was opened last. The list gives it focus again. */
let opened = "";

/**
 * Return one page. With filters, the API may answer with a short page and a cursor, because one request looks at a
 * bounded number of incidents. So this asks on, until the page is full or 12 requests were sent.
 */
async function readPage(api: Api, place: URLSearchParams, signal: AbortSignal): Promise<Page> {
  const items: Incident[] = [];
  let cursor = place.get("cursor");
  for (let sent = 0; sent < REQUESTS_OF_A_PAGE; sent += 1) {
    const query = forApi(place);
    query.set("limit", String(PAGE - items.length));
    if (cursor) query.set("cursor", cursor);
    const page = await api.list(query, signal);
    items.push(...page.items);
    cursor = page.next_cursor;
    if (cursor === null || items.length >= PAGE) return { items, next: cursor, stopped: false };
  }
  return { items, next: cursor, stopped: true };
}

/** Return the moment from which the age of an incident counts. */
const began = (one: Incident): string => one.detected_at ?? one.created_at;

/** Return the 50 matches with the earliest detection, of all matches that 12 requests find. */
async function readByDetection(api: Api, place: URLSearchParams, signal: AbortSignal): Promise<Page> {
  const items: Incident[] = [];
  let cursor: string | null = null;
  for (let sent = 0; sent < REQUESTS_OF_A_PAGE; sent += 1) {
    const query = forApi(place);
    query.set("limit", "100");
    if (cursor) query.set("cursor", cursor);
    const page = await api.list(query, signal);
    items.push(...page.items);
    cursor = page.next_cursor;
    if (cursor === null) break;
  }
  items.sort((a, b) => (began(a) < began(b) ? -1 : 1));
  return { items: items.slice(0, PAGE), next: null, stopped: cursor !== null, sorted: items.length };
}

export function List({ api, query }: { api: Api; query: URLSearchParams }) {
  const key = query.toString();
  const loaded = useLoad(key, api.session, (signal) =>
    (byDetection(query) ? readByDetection : readPage)(api, query, signal));
  const heading = useHeading("List");
  const page = loaded.value;
  useEffect(() => {
    if (!page || loaded.loading) return;
    say(page.items.length === 0 ? "No incident matches" : counted(page.items.length, "incident"));
    if (opened) document.querySelector<HTMLElement>(`a[href="${incidentAt(opened)}"]`)?.focus();
    opened = "";
  }, [page]);
  return (
    <main id="main">
      <h1 class="hidden" ref={heading} tabIndex={-1}>Incidents</h1>
      <Filters query={query} />
      <Stale of={loaded} />
      {page ? <Rows page={page} query={query} loaded={loaded} /> : (
        <Pending of={loaded} what="incidents"><Clear query={query} /></Pending>
      )}
    </main>
  );
}

const Clear = ({ query }: { query: URLSearchParams }) =>
  query.size > 0 ? <button type="button" onClick={() => go("#/?")}>Clear all filters</button> : null;

function Filters({ query }: { query: URLSearchParams }) {
  const set = (next: URLSearchParams) => go(listAt(next));
  return (
    <section class="filters" aria-label="Filters">
      <Search query={query} />
      <button type="button" class={query.get("open") === "true" ? "chip on" : "chip"} aria-pressed={query.get("open") === "true"}
        onClick={() => set(toggled(query, "open"))}>Open</button>
      <button type="button" class={query.get("unowned") === "true" ? "chip on" : "chip"} aria-pressed={query.get("unowned") === "true"}
        onClick={() => set(toggled(query, "unowned"))}>No owner</button>
      <Choices query={query} name="severity" of={SEVERITIES} />
      <Choices query={query} name="status" of={STATUSES} />
      <Value query={query} name="owner_id" hint="The owner's id, complete" />
      <Value query={query} name="affected_asset_id" hint="The asset's id, complete" />
      <Dates query={query} />
      <More query={query} />
      <label class="order">
        <span class="hidden">Order</span>
        <select value={query.get("order") ?? "desc"} onChange={({ currentTarget }) =>
          set(changed(query, (next) => currentTarget.value === "desc" ? next.delete("order") : next.set("order", currentTarget.value)))}>
          <option value="desc">Newest entry first</option>
          <option value="asc">Oldest entry first</option>
          <option value="detected">Earliest detected first</option>
        </select>
      </label>
      <Active query={query} />
    </section>
  );
}

/** The filters that are on without a chip of their own. Each can be removed. */
function Active({ query }: { query: URLSearchParams }) {
  const on = further(query);
  if (on.length === 0) return null;
  return (
    <ul class="active" aria-label="Filters that are on">
      {on.map(({ name, value, words }) => (
        <li key={`${name} ${value}`}>
          <button type="button" class="chip on" onClick={() => go(listAt(withoutValue(query, name, value)))}>
            <span class="value"><Text of={words} /></span> <span aria-hidden="true">×</span>
            <span class="hidden">, remove this filter</span>
          </button>
        </li>
      ))}
      <li><button type="button" class="quiet" onClick={() => go("#/?")}>Clear all</button></li>
    </ul>
  );
}

function Search({ query }: { query: URLSearchParams }) {
  const inAddress = query.get("q") ?? "";
  const [text, setText] = useState(inAddress);
  const latest = useRef(query);
  latest.current = query;
  useEffect(() => setText(inAddress), [inAddress]);
  const search = (value: string, replace: boolean) =>
    go(listAt(changed(latest.current, (next) => value.trim() ? next.set("q", value.trim()) : next.delete("q"))), replace);
  useEffect(() => {
    if (text.trim() === inAddress) return;
    const timer = setTimeout(() => search(text, true), 400);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <form role="search" onSubmit={(event) => {
      event.preventDefault();
      search(text, false);
    }}>
      <input id="search" type="search" value={text} maxLength={200} aria-label="Search title or number"
        placeholder="Search title or number" onInput={({ currentTarget }) => setText(currentTarget.value)} />
    </form>
  );
}

function Choices({ query, name, of }: { query: URLSearchParams; name: "severity" | "status"; of: readonly string[] }) {
  const on = query.getAll(name);
  return (
    <Menu label={on.length ? `${NAMES[name]}: ${on.join(", ")}` : NAMES[name]} on={on.length > 0}>
      {() => (
        <fieldset>
          <legend class="hidden">{NAMES[name]}</legend>
          {of.map((value) => (
            <label key={value} class="choice">
              <input type="checkbox" checked={on.includes(value)} onChange={() =>
                go(listAt(on.includes(value) ? withoutValue(query, name, value) : withValue(query, name, value)))} />
              {value}
            </label>
          ))}
        </fieldset>
      )}
    </Menu>
  );
}

function Value({ query, name, hint }: { query: URLSearchParams; name: Named; hint: string }) {
  return (
    <Menu label={NAMES[name]} on={query.has(name)}>
      {(close) => (
        <Fields query={query} names={[name]} hint={hint} close={close} />
      )}
    </Menu>
  );
}

const Dates = ({ query }: { query: URLSearchParams }) => (
  <Menu label="Created" on={query.has("created_from") || query.has("created_to")}>
    {(close) => <Fields query={query} names={["created_from", "created_to"]} hint="" close={close} />}
  </Menu>
);

const FURTHER: Named[] = ["category", "tag", "source", "incident_number", "affected_account_id", "triggered_by_alert_id",
  "commander_id", "reportable_to", "detected_from", "detected_to"];

const More = ({ query }: { query: URLSearchParams }) => (
  <Menu label="More" on={FURTHER.some((name) => query.has(name)) || query.get("include_deleted") === "true"}>
    {(close) => (
      <>
        <Fields query={query} names={FURTHER} hint="Whole values, as the incident has them" close={close} />
        <label class="choice">
          <input type="checkbox" checked={query.get("include_deleted") === "true"}
            onChange={() => go(listAt(toggled(query, "include_deleted")))} />
          With deleted incidents
        </label>
      </>
    )}
  </Menu>
);

/** A form with one input for each filter. What is typed is added to the filters. */
function Fields({ query, names, hint, close }: { query: URLSearchParams; names: Named[]; hint: string; close: () => void }) {
  return (
    <form class="fields" onSubmit={(event) => {
      event.preventDefault();
      let next = query;
      for (const [name, value] of new FormData(event.currentTarget)) {
        const typed = String(value).trim();
        const edge = name.endsWith("_to") ? "to" : "from";
        if (typed) next = withValue(next, name as Named, isDate(name) ? edgeOf(typed, edge) : typed);
      }
      close();
      go(listAt(next));
    }}>
      {names.map((name) => (
        <label key={name}>{NAMES[name]}
          {isDate(name) ? <input name={name} type="date" /> : <input name={name} maxLength={2048} autocomplete="off" />}
        </label>
      ))}
      {hint && <p class="small">{hint}</p>}
      <button type="submit" class="primary">Apply</button>
    </form>
  );
}

function Rows({ page, query, loaded }: { page: Page; query: URLSearchParams; loaded: Loaded<Page> }) {
  const now = useNow();
  if (page.items.length === 0) return <None page={page} query={query} />;
  return (
    <>
      <table class="rows" role="table" aria-busy={loaded.loading}>
        <caption class="hidden">Incidents. The keys j and k move between them, and Enter opens one.</caption>
        <thead role="rowgroup">
          <tr role="row">
            {["Severity", "Incident", "Status", "Owner", "Age"].map((name) => (
              <th key={name} role="columnheader" scope="col">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {page.items.map((one) => <Row key={one.id} of={one} now={now} />)}
        </tbody>
      </table>
      <Paging page={page} query={query} />
    </>
  );
}

/** Return what the row's age says: how long it is open, or how long it took. */
function age(one: Incident, now: number): [label: string, text: string, since: string] {
  const since = began(one);
  if (one.status === "closed" && one.closed_at) return ["Took", `took ${duration(minutesBetween(since, one.closed_at))}`, since];
  if (one.status === "dismissed") return ["Age", "dismissed", since];
  return ["Age", duration(minutesBetween(since, now)), since];
}

function Row({ of: one, now }: { of: Incident; now: number }) {
  const facts = [
    one.category && words(one.category),
    one.affected_asset_ids.length > 0 && counted(one.affected_asset_ids.length, "asset"),
    one.source !== "edm" && one.source,
  ].filter((fact) => typeof fact === "string");
  const [, old, since] = age(one, now);
  const over = one.status === "closed" || one.status === "dismissed";
  return (
    <tr role="row" class={over || one.is_deleted ? "over" : ""}>
      <td role="cell" class="severity-of"><Severity of={one.severity} /></td>
      <td role="cell" class="what">
        <a href={incidentAt(one.id)} onClick={() => (opened = one.id)}><Text of={one.title} /></a>
        <div class="facts">
          <code><Text of={one.incident_number} /></code>
          {facts.map((fact) => <span key={fact}>{"\u00a0· "}<Text of={fact} /></span>)}
          {one.is_deleted && <strong>{"\u00a0· "}deleted</strong>}
        </div>
      </td>
      <td role="cell" data-label="Status">{one.status}</td>
      <td role="cell" data-label="Owner">{one.owner_id ? <Text of={one.owner_id} /> : <span class="muted">nobody</span>}</td>
      <td role="cell" data-label="Age" class={over ? "age muted" : "age"}>
        <time dateTime={since} title={`since ${utc(since)}`}>{old}</time>
        {minutesBetween(since, one.created_at) >= 1440 && <div class="facts">entered {day(one.created_at)}</div>}
      </td>
    </tr>
  );
}

function None({ page, query }: { page: Page; query: URLSearchParams }) {
  return (
    <div class="state">
      <h2>{page.stopped ? "No match so far" : query.size ? "No incident matches" : "No incidents yet"}</h2>
      <p>{page.stopped ? "The service looked through many incidents, and has not seen all."
        : query.size ? "Remove a filter, or search for other words."
        : "Incidents appear here when a person, a program or a security tool reports one."}</p>
      <div class="actions">
        {page.stopped && page.next && <button type="button" class="primary" onClick={() => forward(query, page)}>Look further</button>}
        <Clear query={query} />
      </div>
    </div>
  );
}

function forward(query: URLSearchParams, page: Page): void {
  if (!page.next) return;
  before.set(page.next, query.toString());
  const next = new URLSearchParams(query);
  next.set("cursor", page.next);
  next.set("page", String((Number(query.get("page")) || 1) + 1));
  go(listAt(next));
  scrollTo(0, 0);
}

function Paging({ page, query }: { page: Page; query: URLSearchParams }) {
  const cursor = query.get("cursor");
  const number = Number(query.get("page")) || 1;
  const previous = cursor ? before.get(cursor) : undefined;
  return (
    <nav class="paging" aria-label="Pages">
      {cursor && previous !== undefined && (
        <button type="button" onClick={() => go(listAt(new URLSearchParams(previous)))}>Previous</button>
      )}
      {cursor && previous === undefined && (
        <button type="button" onClick={() => go(listAt(changed(query, () => {})))}>First page</button>
      )}
      {page.next && <button type="button" onClick={() => forward(query, page)}>{page.stopped ? "Look further" : "Next"}</button>}
      <span class="muted">
        {number > 1 && `Page ${number}, `}{counted(page.items.length, "incident")}
        {page.sorted ? ` of ${page.sorted}` : page.next ? "" : ", no more"}
        {page.sorted && page.stopped && " that were found. There are more, so add a filter"}
      </span>
      <span class="muted keys"><kbd>j</kbd> <kbd>k</kbd> move, <kbd>Enter</kbd> opens, <kbd>/</kbd> searches, <kbd>?</kbd> shows all keys</span>
    </nav>
  );
}
