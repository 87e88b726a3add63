// The filters of the list, as they stand in the address. Their names are those of the API's parameters.
import type { ListFilter } from "./api";
import { day, visible } from "./texts";

export const SEVERITIES = ["critical", "high", "medium", "low", "informational"] as const;
export const STATUSES = ["new", "investigating", "contained", "recovering", "review", "closed", "dismissed"] as const;
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

/** Whether the list begins with the earliest detection. The API orders only by entry, so the page sorts. */
export const byDetection = (place: URLSearchParams): boolean => place.get("order") === "detected";

/** Return the query for the API. A parameter that the page does not know goes along: the API says what is wrong. */
export function forApi(place: URLSearchParams): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of place) if (!OWN.has(name) && value !== "") query.append(name, value);
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
    if (SINGLE.has(name)) query.set(name, value);
    else if (!query.has(name, value)) query.append(name, value);
  });
}

export const withoutValue = (place: URLSearchParams, name: string, value: string): URLSearchParams =>
  changed(place, (query) => query.delete(name, value));

export const toggled = (place: URLSearchParams, name: string): URLSearchParams =>
  changed(place, (query) => (query.get(name) === "true" ? query.delete(name) : query.set(name, "true")));

/** Return the filters that are on and that no chip of the first row shows, as name, value and words. */
export function further(place: URLSearchParams): { name: string; value: string; words: string }[] {
  const found = [];
  for (const [name, value] of place) {
    if (name in NAMES && name !== "severity" && name !== "status") {
      const shown = isDate(name) && !Number.isNaN(Date.parse(value)) ? day(value) : visible(value);
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
