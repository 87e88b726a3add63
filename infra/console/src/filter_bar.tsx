// The bar of filters above the list. A choice goes to another address, which the list then reads.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Incident } from "./api";
import { SEVERITIES, STATUSES } from "./bounds";
import { changed, edgeOf, further, isDate, NAMES, type Named, toggled, withoutFilters, withoutValue, withValue } from "./filters";
import { CopyLink, Menu, Text } from "./parts";
import { go, listAt } from "./place";
import { words } from "./texts";

export function Filters({ query, items }: { query: URLSearchParams; items: Incident[] }) {
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
      <Value query={query} items={items} name="owner_id" hint="The owner's id, complete" />
      <Value query={query} items={items} name="affected_asset_id" hint="The asset's id, complete" />
      <Dates query={query} />
      <More query={query} items={items} />
      <label class="order">
        <span class="hidden">Order</span>
        <select value={query.get("order") ?? "desc"} onChange={({ currentTarget }) =>
          set(changed(query, (next) => currentTarget.value === "desc" ? next.delete("order") : next.set("order", currentTarget.value)))}>
          <option value="detected">Oldest first (by detection)</option>
          <option value="asc">Oldest first (by creation)</option>
          <option value="desc">Newest first (by creation)</option>
        </select>
      </label>
      <CopyLink />
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
      <li><button type="button" class="quiet" onClick={() => go(listAt(withoutFilters(query)))}>Clear all</button></li>
    </ul>
  );
}

function Search({ query }: { query: URLSearchParams }) {
  const inAddress = query.get("q") ?? "";
  const [text, setText] = useState(inAddress);
  const latest = useRef(query);
  latest.current = query;
  useEffect(() => setText((typed) => (typed.trim() === inAddress ? typed : inAddress)), [inAddress]); // keeps a blank at the end
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

function Value({ query, items, name, hint }: { query: URLSearchParams; items: Incident[]; name: Named; hint: string }) {
  return (
    <Menu label={NAMES[name]} on={query.has(name)}>
      {(close) => (
        <Fields query={query} items={items} names={[name]} hint={hint} close={close} />
      )}
    </Menu>
  );
}

const Dates = ({ query }: { query: URLSearchParams }) => (
  <Menu label="Created" on={query.has("created_from") || query.has("created_to")}>
    {(close) => <Fields query={query} items={[]} names={["created_from", "created_to"]} hint="" close={close} />}
  </Menu>
);

const FURTHER: Named[] = ["category", "tag", "source", "incident_number", "affected_account_id", "triggered_by_alert_id",
  "commander_id", "reportable_to", "detected_from", "detected_to"];

const More = ({ query, items }: { query: URLSearchParams; items: Incident[] }) => (
  <Menu label="More" on={FURTHER.some((name) => query.has(name)) || query.get("include_deleted") === "true"}>
    {(close) => (
      <>
        <Fields query={query} items={items} names={FURTHER} hint="Whole values, as the page shows them" close={close} />
        <label class="choice">
          <input type="checkbox" checked={query.get("include_deleted") === "true"}
            onChange={() => go(listAt(toggled(query, "include_deleted")))} />
          With deleted incidents
        </label>
      </>
    )}
  </Menu>
);

/** Return the values that the incidents of the page have for a filter, as the page shows them. */
function valuesOf(items: Incident[], name: Named): string[] {
  const values = items.flatMap((one) => {
    const fields = one as unknown as Record<string, string | string[] | null | undefined>;
    return fields[name] ?? fields[`${name}s`] ?? [];
  });
  return [...new Set(values)].sort().map((value) => (name === "category" ? words(value) : value));
}

/** A form with one input for each filter. What is typed is added to the filters. */
function Fields({ query, items, names, hint, close }: {
  query: URLSearchParams; items: Incident[]; names: Named[]; hint: string; close: () => void;
}) {
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
          {isDate(name) ? <input name={name} type="date" /> : (
            <>
              <input name={name} maxLength={2048} autocomplete="off" list={`values-${name}`} />
              <datalist id={`values-${name}`}>{valuesOf(items, name).map((value) => <option key={value} value={value} />)}</datalist>
            </>
          )}
        </label>
      ))}
      {hint && <p class="small">{hint}</p>}
      <button type="submit" class="primary">Apply</button>
    </form>
  );
}
