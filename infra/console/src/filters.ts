// The filters of the list, as they stand in the address. Their names are those of the API's parameters.
import type { ListFilter } from "./api";
import { day, visible, words } from "./texts";

export const PAGE = 50;

/** The filters that take values, and how the page calls them. */
export const NAMES = {
  severity: "Severity",
  status: "Status",
  owner_id: "Owner",
  affected_asset_id: "Asset",
  category: "Category",
  tag: "Tag",
  source: "Source",
  app_id: "Application",
  incident_number: "Number",
  affected_account_id: "Account",
  triggered_by_alert_id: "Alert",
  consolidated_investigation_id: "Investigation",
  realized_risk_id: "Risk",
  corrective_action_id: "Corrective action",
  commander_id: "Commander",
  reportable_to: "Reportable to",
  created_from: "Created from",
  created_to: "Created until",
  detected_from: "Detected from",
  detected_to: "Detected until",
} satisfies Partial<Record<ListFilter, string>>;

export type Named = keyof typeof NAMES;
const SINGLE = new Set<string>(["incident_number", "created_from", "created_to", "detected_from", "detected_to"]);
export const isDate = (name: string): boolean => /^(created|detected)_(from|to)$/.test(name);

/** Parameters of the address that the API does not know: where the reader is in the list. */
const OWN = new Set(["page"]);

/** Whether the list begins with the earliest detection. The API orders only by creation, so the page sorts. */
export const byDetection = (place: URLSearchParams): boolean => place.get("order") === "detected";

/** A number as the service assigns it. */
const COMPLETE_NUMBER = /^INC-\d{4}-\d{6,}$/i;

/**
 * Return the query for the API. A parameter that the page does not know goes along: the API says what is wrong.
 *
 * The page shows the category third_party as "third party", so such words also find the stored form. Somebody who
 * searches for a complete number wants this incident, open or not.
 */
export function forApi(place: URLSearchParams): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of place) if (!OWN.has(name) && value !== "") query.append(name, value);
  for (const shown of place.getAll("category")) {
    const stored = shown.toLowerCase().replace(/\s+/g, "_");
    if (stored && !query.has("category", stored)) query.append("category", stored);
  }
  if (COMPLETE_NUMBER.test(place.get("q") ?? "")) query.delete("open");
  if (byDetection(place)) for (const name of ["order", "cursor"]) query.delete(name);
  return query;
}

/** Return the address's query after a change of its filters. The reader starts at the first page again. */
export function changed(place: URLSearchParams, change: (query: URLSearchParams) => void): URLSearchParams {
  const query = new URLSearchParams(place);
  change(query);
  query.delete("cursor");
  query.delete("page");
  return query;
}

export function withValue(place: URLSearchParams, name: Named, value: string): URLSearchParams {
  return changed(place, (query) => {
    if (name === "owner_id" && value === "nobody") query.set("unowned", "true"); // the word of the list
    else if (SINGLE.has(name)) query.set(name, value);
    else if (!query.has(name, value)) query.append(name, value);
  });
}

/** Return the query without any filter. Searched words and order stay. */
export const withoutFilters = (place: URLSearchParams): URLSearchParams =>
  changed(place, (query) => [...query.keys()].filter((name) => name !== "q" && name !== "order").forEach((name) => query.delete(name)));

export const withoutValue = (place: URLSearchParams, name: string, value: string): URLSearchParams =>
  changed(place, (query) => query.delete(name, value));

export const toggled = (place: URLSearchParams, name: string): URLSearchParams =>
  changed(place, (query) => (query.get(name) === "true" ? query.delete(name) : query.set(name, "true")));

/** Return the names of all filters that are on, such as "Open" and "Category: third party". */
export const filtersOn = (place: URLSearchParams): string[] => [
  ...(place.get("open") === "true" ? ["Open"] : []),
  ...(place.get("unowned") === "true" ? ["No owner"] : []),
  ...(["severity", "status"] as const).filter((name) => place.has(name)).map((name) => `${NAMES[name]}: ${place.getAll(name).join(", ")}`),
  ...further(place).map(({ words }) => words),
];

/** Return the filters that are on and that no chip of the first row shows, as name, value and words. */
export function further(place: URLSearchParams): { name: string; value: string; words: string }[] {
  const found = [];
  for (const [name, value] of place) {
    if (name in NAMES && name !== "severity" && name !== "status") {
      const shown = isDate(name) && !Number.isNaN(Date.parse(value)) ? day(value) : visible(name === "category" ? words(value) : value);
      found.push({ name, value, words: `${NAMES[name as Named]}: ${shown}` });
    }
  }
  if (place.get("include_deleted") === "true")
    found.push({ name: "include_deleted", value: "true", words: "With deleted incidents" });
  return found;
}

/** Return the first or the last moment of a day in the reader's zone, as the API takes it. */
export function edgeOf(date: string, edge: "from" | "to"): string {
  const [year = 0, month = 1, dayOfMonth = 1] = date.split("-").map(Number);
  const at = new Date(year, month - 1, dayOfMonth + (edge === "to" ? 1 : 0));
  return new Date(at.getTime() - (edge === "to" ? 1 : 0)).toISOString();
}
