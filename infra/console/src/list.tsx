// The list of incidents: rows and paging. Its complete state is the address.
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Api, BoardEntry, Incident } from "./api";
import { Save } from "./csv";
import { regimeName, urgency } from "./deadlines";
import { Filters } from "./filter_bar";
import { byDetection, changed, filtersOn, forApi, PAGE, withoutFilters } from "./filters";
import { type Loaded, useLoad, useNow } from "./load";
import { Pending, say, Severity, Stale, Text, useHeading } from "./parts";
import { go, incidentAt, listAt } from "./place";
import { counted, duration, minutesBetween, shortDay, utc, words } from "./texts";

interface Page {
  items: Incident[];
  /** The cursor of the next page. */
  next: string | null;
  /** Whether the search stopped before it found a full page, or all matches to sort. */
  stopped: boolean;
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

/** Return all matches that 12 requests find, the earliest detection first. */
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
  items.sort((a, b) => new Date(began(a)).getTime() - new Date(began(b)).getTime());
  return { items, next: null, stopped: cursor !== null };
}

export function List({ api, query }: { api: Api; query: URLSearchParams }) {
  const sorts = byDetection(query);
  const asked = new URLSearchParams(query);
  if (sorts) asked.delete("page"); // all pages of this order are read at once
  const loaded = useLoad(asked.toString(), api.session, (signal) => (sorts ? readByDetection : readPage)(api, query, signal));
  const heading = useHeading("List");
  const page = loaded.value;
  const number = sorts && page ? Math.min(pageNumber(query), Math.ceil(page.items.length / PAGE) || 1) : pageNumber(query);
  const items = page ? (sorts ? page.items.slice((number - 1) * PAGE, number * PAGE) : page.items) : [];
  useEffect(() => {
    if (!page || loaded.loading) return;
    say(items.length === 0 ? "No incident matches" : counted(items.length, "incident"));
    if (opened) document.querySelector<HTMLElement>(`a[href="${incidentAt(opened)}"]`)?.focus();
    opened = "";
  }, [page, number]);
  return (
    <main id="main">
      <h1 class="hidden" ref={heading} tabIndex={-1}>Incidents</h1>
      <Filters query={query} items={page?.items ?? []} />
      <Stale of={loaded} />
      {page ? <Rows api={api} page={page} items={items} number={number} query={query} loading={loaded.loading} /> : (
        <Pending of={loaded} what="incidents"><Clear query={query} /></Pending>
      )}
    </main>
  );
}

const pageNumber = (query: URLSearchParams): number => Math.max(1, Math.floor(Number(query.get("page"))) || 1);

const Clear = ({ query }: { query: URLSearchParams }) =>
  query.size > 0 ? <button type="button" onClick={() => go("#/?")}>Clear all filters</button> : null;

/** Return the board's entries of incidents, by id, and how they load. Only incidents that name a regime can be on the board. */
function useDeadlines(api: Api, items: Incident[]): [Map<string, BoardEntry>, Loaded<BoardEntry[]>] {
  const ids = items.filter((one) => one.reportable_to.length > 0).map((one) => one.id);
  const loaded = useLoad(ids.join(), api.session, async (signal) => ids.length === 0 ? []
    : (await api.board(new URLSearchParams(ids.map((id) => ["incident_id", id])), signal)).items);
  return [new Map((loaded.value ?? []).map((entry) => [entry.incident_id, entry])), loaded];
}

function Rows({ api, page, items, number, query, loading }: {
  api: Api; page: Page; items: Incident[]; number: number; query: URLSearchParams; loading: boolean;
}) {
  const now = useNow();
  const [deadlines, loaded] = useDeadlines(api, items);
  const incomplete = loaded.loading || !!loaded.error;
  if (items.length === 0) return <None page={page} query={query} />;
  return (
    <>
      {loaded.error && <p class="note" role="alert">The deadlines of these incidents could not be read: <Text of={loaded.error.message} />{" "}
        <button type="button" onClick={loaded.again}>Try again</button></p>}
      <table class="rows" role="table" aria-busy={loading || loaded.loading}>
        <caption class="hidden">Incidents. The keys j and k move between them, and Enter opens one.</caption>
        <thead role="rowgroup">
          <tr role="row">
            {["Severity", "Incident", "Status", "Owner", "Next deadline"].map((name) => (
              <th key={name} role="columnheader" scope="col">{name}</th>
            ))}
            <th role="columnheader" scope="col">Age <span class="muted">since detection</span></th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {items.map((one) => <Row key={one.id} of={one} now={now} deadlines={deadlines.get(one.id)} />)}
        </tbody>
      </table>
      <Paging page={page} shown={items.length} number={number} query={query}>
        {!incomplete && <Save name="incidents" rows={() => [
          ["number", "title", "severity", "status", "owner", "category", "began", "detected", "created", "closed", "next deadline", "regime", "regime id"],
          ...items.map((one) => {
            const next = deadlines.get(one.id)?.stages[0];
            return [one.incident_number, one.title, one.severity, one.status, one.owner_id, one.category, one.occurred_at, one.detected_at,
              one.created_at, one.closed_at, next && (next.due_at ?? urgency(next, now)[0]), next && regimeName(next.regime), next?.regime];
          }),
        ]} />}
      </Paging>
    </>
  );
}

/** Return what the row's age says: how long it is open, or how long it took. */
function age(one: Incident, now: number): string {
  if (one.status === "closed" && one.closed_at) return `took ${duration(minutesBetween(began(one), one.closed_at))}`;
  if (one.status === "dismissed") return "dismissed";
  return duration(minutesBetween(began(one), now));
}

function Row({ of: one, now, deadlines }: { of: Incident; now: number; deadlines: BoardEntry | undefined }) {
  const facts = [
    one.category && words(one.category),
    one.affected_asset_ids.length > 0 && counted(one.affected_asset_ids.length, "asset"),
    one.source !== "edm" && one.source,
  ].filter((fact) => typeof fact === "string");
  const since = began(one);
  const soonest = deadlines?.stages[0];
  const next = soonest && urgency(soonest, now);
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
      <td role="cell" data-label="Deadline">{next && <><span class={`due ${next[1]}`}>{next[0]}</span> <div class="facts"><Text of={regimeName(soonest?.regime ?? "")} /></div></>}</td>
      <td role="cell" data-label="Age" class={over ? "age muted" : "age"}>
        <time dateTime={since} title={`since ${utc(since)}`}>{age(one, now)}</time>
        {minutesBetween(since, one.created_at) >= 1440 && <div class="facts">created {shortDay(one.created_at, now)}</div>}
        {!one.detected_at && <div class="facts">since creation</div>}
      </td>
    </tr>
  );
}

/** The message that replaces the rows. If filters are on, the message says so, and offers a search without them. */
function None({ page, query }: { page: Page; query: URLSearchParams }) {
  const text = query.get("q");
  const on = filtersOn(query);
  return (
    <div class="state">
      <h2>{page.stopped ? "No match so far" : text ? <>No incident matches “<Text of={text} />”</>
        : on.length ? "No incident matches" : query.has("cursor") ? "No incidents on this page" : "No incidents yet"}</h2>
      {page.stopped && <p>The service looked through many incidents, and has not seen all.</p>}
      {on.length > 0 ? <p>The list shows only incidents that match {on.length === 1 ? "this filter" : "all these filters"}: <Text of={on.join("; ")} />.</p>
        : text ? <p>An incident must contain all words in its title or number. Search for other words.</p>
        : !query.has("cursor") && <p>Incidents appear here when a person, a program or a security tool reports one.</p>}
      <div class="actions">
        {page.next && <button type="button" class="primary" onClick={() => forward(query, page, pageNumber(query))}>Look further</button>}
        {on.length > 0 && (
          <button type="button" onClick={() => go(listAt(withoutFilters(query)))}>{text ? "Search without filters" : "Clear all filters"}</button>
        )}
        {text && on.length === 0 && (
          <button type="button" onClick={() => go(listAt(changed(query, (next) => next.delete("q"))))}>Clear the search</button>
        )}
      </div>
    </div>
  );
}

/** Go to a page. Without a cursor, it is a page of the matches that this page sorted. */
function turn(query: URLSearchParams, number: number, cursor: string | null): void {
  const next = new URLSearchParams(query);
  if (cursor) next.set("cursor", cursor);
  next.set("page", String(number));
  go(listAt(next));
  scrollTo(0, 0);
}

function forward(query: URLSearchParams, page: Page, number: number): void {
  if (page.next) before.set(page.next, query.toString());
  turn(query, number + 1, page.next);
}

function Paging({ page, shown, number, query, children }: {
  page: Page; shown: number; number: number; query: URLSearchParams; children: ComponentChildren;
}) {
  const cursor = query.get("cursor");
  const previous = cursor ? before.get(cursor) : undefined;
  const sorts = byDetection(query);
  const more = sorts ? page.items.length > number * PAGE : page.next !== null;
  return (
    <nav class="paging" aria-label="Pages">
      {sorts && number > 1 && <button type="button" onClick={() => turn(query, number - 1, null)}>Previous</button>}
      {cursor && previous !== undefined && (
        <button type="button" onClick={() => go(listAt(new URLSearchParams(previous)))}>Previous</button>
      )}
      {cursor && previous === undefined && (
        <button type="button" onClick={() => go(listAt(changed(query, () => {})))}>First page</button>
      )}
      {more && <button type="button" onClick={() => forward(query, page, number)}>{page.stopped && !sorts ? "Look further" : "Next"}</button>}
      <span class="muted">
        {number > 1 && `Page ${number}, `}{counted(shown, "incident")}
        {more ? ", more on the next page" : sorts && page.stopped ? "" : ", no more"}
        {sorts && page.stopped && `. Only ${counted(page.items.length, "match", "matches")} were read and sorted. Add a filter to see the others`}
      </span>
      {children}
      <span class="muted keys"><kbd>j</kbd> <kbd>k</kbd> move, <kbd>Enter</kbd> opens, <kbd>/</kbd> searches, <kbd>?</kbd> shows all keys</span>
    </nav>
  );
}
