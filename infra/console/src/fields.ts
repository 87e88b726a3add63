// The fields that people edit: how they are called, what may be typed, and what the typed text means. Pure.
import { BOUNDS, CATEGORIES, MEMBER_STATES, REGIMES, SEVERITIES, SOURCE_TYPES, STATUSES } from "./bounds";
import { parsed, written } from "./json";
import { at, type Edit, type Edits, gainsNull, type Values } from "./merge";
import { words } from "./texts";

export type Kind = "line" | "prose" | "moment" | "amount" | "choice" | "list" | "json";

/** What somebody typed: a text, or items that a list gains and loses, with an item that is not added yet. */
export type Typed = string | { add: string[]; remove: string[]; typing: string };

export interface Field {
  label: string;
  kind: Kind;
  /** The words that the field may have. For other kinds than a choice, they are only suggestions. */
  words?: readonly string[];
  hint?: string;
}

/** The fields by purpose, as the cards of an incident have them. */
export const PARTS: { part: string; title: string; fields: Record<string, Field> }[] = [
  { part: "what", title: "What happened", fields: {
    title: { label: "Title", kind: "line" },
    severity: { label: "Severity", kind: "choice", words: SEVERITIES },
    category: { label: "Category", kind: "line", words: CATEGORIES },
    description: { label: "Description", kind: "prose" },
    root_cause: { label: "Root cause", kind: "prose" },
    affected_asset_ids: { label: "Affected assets", kind: "list" },
    affected_account_ids: { label: "Affected accounts", kind: "list" },
    tags: { label: "Tags", kind: "list" },
  } },
  { part: "when", title: "When", fields: {
    occurred_at: { label: "Began", kind: "moment" },
    detected_at: { label: "Detected", kind: "moment" },
    reported_at: { label: "Reported", kind: "moment" },
    contained_at: { label: "Contained", kind: "moment" },
    closed_at: { label: "Closed", kind: "moment" },
  } },
  { part: "people", title: "People", fields: {
    owner_id: { label: "Owner", kind: "line" },
    commander_ids: { label: "Commanders", kind: "list" },
  } },
  { part: "reporting", title: "Reporting", fields: {
    reportable_to: { label: "Reportable to", kind: "list", words: Object.values(REGIMES), hint: "A regime such as GDPR has deadlines" },
    reported_to_regulators_at: { label: "Regulators told", kind: "moment", hint: "The card Deadlines records each submission with its reference" },
    customer_notified_at: { label: "Customers told", kind: "moment" },
  } },
  { part: "impact", title: "Impact", fields: {
    financial_impact: { label: "Financial impact in USD", kind: "amount" },
    realized_risk_ids: { label: "Realized risks", kind: "list" },
  } },
  { part: "follow-up", title: "Follow-up", fields: {
    corrective_action_ids: { label: "Corrective actions", kind: "list" },
    consolidated_investigation_ids: { label: "Investigations", kind: "list" },
    triggered_by_alert_ids: { label: "Alerts", kind: "list" },
    lessons_learned: { label: "Lessons learned", kind: "json" },
  } },
  { part: "source", title: "Source", fields: {
    source: { label: "Source", kind: "line" },
    source_type: { label: "Kind of source", kind: "choice", words: SOURCE_TYPES },
  } },
];

/** Fields that only a form of their own sets. */
const FURTHER: Record<string, Field> = {
  status: { label: "Status", kind: "choice", words: STATUSES },
  incident_number: { label: "Number", kind: "line", hint: "Leave it empty, and the service gives the next number" },
  is_deleted: { label: "Deleted", kind: "choice" },
};

const FIELDS: Record<string, Field> = Object.assign({}, FURTHER, ...PARTS.map(({ fields }) => fields));

/** Return the field at a path. Of the reports to regulators, each value has a path of its own. */
export function fieldAt(path: string): Field {
  const own = FIELDS[path];
  if (own) return own;
  const name = path.split("/").pop() ?? path;
  const label = words(name).replace(/^./, (first) => first.toUpperCase());
  if (name.endsWith("_at") || path.includes("/anchors/")) return { label, kind: "moment" };
  if (name === "member_state") return { label, kind: "choice", words: MEMBER_STATES };
  return name === "dora_exempt" ? { label, kind: "choice", words: ["true", "false"] } : { label, kind: "line" };
}

/** Return whether a field may be without a value. */
export const clears = (path: string): boolean => {
  const name = path.split("/")[0] ?? "";
  return name === "lessons_learned" || (name in BOUNDS && "clears" in BOUNDS[name as keyof typeof BOUNDS]);
};

interface Bound { maxLength?: number; pattern?: string; maximum?: number; maxItems?: number }
const boundOf = (path: string): Bound => (BOUNDS as Record<string, Bound>)[path.split("/").pop() ?? ""] ?? {};

const two = (n: number): string => String(n).padStart(2, "0");

/**
 * Return a timestamp as people type it, in the reader's zone: "2026-11-24 23:40", with seconds if they are not 0. When the
 * clocks go back, an hour comes twice. A time of the second such hour has an offset: "2026-10-25 02:30 +01:00".
 */
export function typedMoment(timestamp: string): string {
  const one = new Date(timestamp);
  const [seconds, milliseconds] = [one.getSeconds(), one.getMilliseconds()];
  const fraction = milliseconds ? `.${String(milliseconds).padStart(3, "0")}` : "";
  const text = `${String(one.getFullYear()).padStart(4, "0")}-${two(one.getMonth() + 1)}-${two(one.getDate())} ${two(one.getHours())}:${two(one.getMinutes())}`
    + (seconds || fraction ? `:${two(seconds)}${fraction}` : "");
  const [moment, ahead] = [momentOf(text), -one.getTimezoneOffset()];
  if (!moment || Date.parse(moment) === one.getTime()) return text;
  return `${text} ${ahead < 0 ? "-" : "+"}${two(Math.floor(Math.abs(ahead) / 60))}:${two(Math.abs(ahead) % 60)}`;
}

/** Return the present second. People do not type fractions of seconds. */
export const now = (): string => `${new Date().toISOString().slice(0, 19)}.000Z`;

const MOMENT = /^(\d{4})-(\d\d?)-(\d\d?)[ T]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?$/i;

/**
 * Return the timestamp that a text means, or null. Without an offset, the text is in the reader's zone. When the clocks go
 * forward, the times that are skipped mean no timestamp.
 */
export function momentOf(text: string): string | null {
  const parts = MOMENT.exec(text.trim());
  if (!parts) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map((part) => Number(part ?? 0));
  const milliseconds = Number((parts[7] ?? "").padEnd(3, "0").slice(0, 3));
  const utc = new Date(Date.UTC(year, month - 1, day, hour, minute, second, milliseconds));
  if (utc.getUTCMonth() !== month - 1 || utc.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59 || year < 1970 || year > 9998) return null;
  const zone = parts[8]?.toUpperCase();
  if (zone === undefined) {
    const one = new Date(year, month - 1, day, hour, minute, second, milliseconds);
    return one.getDate() === day && one.getHours() === hour && one.getMinutes() === minute ? one.toISOString() : null;
  }
  if (zone === "Z" || zone === "UTC") return utc.toISOString();
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return new Date(utc.getTime() - (zone.startsWith("-") ? -1 : 1) * minutes * 60_000).toISOString();
}

const FUTURE = "is a time in the future. Correct it, or confirm it";

/**
 * Return the edited times that are in the future, by path. A person must confirm them, because a wrong year is easy to type.
 * ``sure`` has the confirmed texts.
 */
export function inFuture(edits: Edits, typed: Record<string, Typed>, base: Values, sure: Record<string, Typed>, present: number): Record<string, string> {
  const found = Object.entries(edits).filter(([path, edit]) => fieldAt(path).kind === "moment" && "value" in edit
    && Date.parse(String(edit.value)) > present && edit.value !== at(base, path) && sure[path] !== typed[path]);
  return Object.fromEntries(found.map(([path]) => [path, FUTURE]));
}

/** Return whether a fault is a question that a person can answer with "It is right". */
export const asks = (fault: string | undefined): boolean => fault === FUTURE;

/** Return a fault or a problem of the service in the words of the forms: fields by their labels, times as people type them. */
export const inWords = (text: string): string => text
  .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z/g, typedMoment)
  .replace(/[a-z]+(?:_[a-z]+)+/g, (name) => (Object.hasOwn(FIELDS, name) ? `“${fieldAt(name).label}”` : name));

/** Return a value as people type it. */
export function typedOf(path: string, value: unknown): string {
  if (value === null || value === undefined) return "";
  if (fieldAt(path).kind === "moment") return typedMoment(String(value));
  return typeof value === "string" ? value : written(value, "  ");
}

/** A typed text that means no value of its field. The message says what would be right. */
export class Wrong extends Error {}

/** Return the value that a typed text means. ``held`` is the present value. Raises Wrong. */
export function valueOf(path: string, typed: string, held: unknown): unknown {
  const { kind } = fieldAt(path);
  const { maxLength, pattern, maximum } = boundOf(path);
  const text = kind === "prose" || kind === "json" ? typed : typed.trim();
  if (text.trim() === "") {
    if (clears(path)) return null;
    throw new Wrong("is required");
  }
  if (kind === "moment") {
    const moment = momentOf(text);
    if (moment) return moment;
    if (/^\d{4}-\d\d?-\d\d?$/.test(text)) throw new Wrong(`needs a time after the date, such as ${text} 09:30`);
    if (momentOf(`${text}Z`)) throw new Wrong("is skipped in your zone, because the clocks go forward. Correct it, or add an offset such as +01:00");
    const zone = /:\d\d\s*(?!utc$|[ap]m$)([a-z][a-z/_]+)$/i.exec(text);
    if (zone) throw new Wrong(`must not name the zone ${zone[1]}. An offset such as +01:00 is possible, or a Z for UTC`);
    throw new Wrong("must be a time such as 2026-11-24 23:40");
  }
  if (kind === "amount") {
    const digits = /^\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text;
    if (!/^\d+(\.\d{1,4})?$/.test(digits)) throw new Wrong("must be an amount such as 48250.50, with at most 4 decimals");
    if (Number(digits) > (maximum ?? Infinity)) throw new Wrong(`must be at most ${maximum}`);
    const [whole = "", fraction = ""] = digits.split(".");
    return parsed([whole.replace(/^0+(?=\d)/, ""), fraction.replace(/0+$/, "")].filter(Boolean).join(".")); // as the service writes it
  }
  if (kind === "json" && typeof held !== "string" && held !== null) {
    let value: unknown;
    try {
      value = parsed(text);
    } catch {
      throw new Wrong("must be JSON, because its present value is");
    }
    if (gainsNull(held, value)) throw new Wrong("must not set a member to null, because the service removes such a member");
    return value;
  }
  if (text === "true" || text === "false") if (kind === "choice") return text === "true";
  const length = [...text].length;
  if (maxLength !== undefined && length > maxLength) throw new Wrong(`must be at most ${maxLength} characters, not ${length}`);
  if (pattern && !new RegExp(pattern, "u").test(text)) throw new Wrong("must be printable ASCII without #");
  return text;
}

/** Return the edit that a typed value means. Raises Wrong. */
export function editOf(path: string, typed: Typed, base: Values): Edit {
  if (typeof typed === "string") return { value: valueOf(path, typed, at(base, path)) };
  const { maxLength, maxItems } = boundOf(path);
  const typing = typed.typing.trim();
  const add = typing ? [...typed.add, typing] : typed.add;
  const remove = typed.remove.filter((one) => one !== typing);
  const long = add.find((one) => maxLength !== undefined && [...one].length > maxLength);
  if (long) throw new Wrong(`must have items of at most ${maxLength} characters`);
  const held = at(base, path);
  const count = (Array.isArray(held) ? held.length : 0) + add.length - remove.length;
  if (maxItems !== undefined && count > maxItems) throw new Wrong(`must have at most ${maxItems} items, not ${count}`);
  return { add, remove };
}

/** Return the edits that typed values mean, and what is wrong with the others, by path. */
export function editsOf(typed: Record<string, Typed>, base: Values): { edits: Edits; wrong: Record<string, string> } {
  const edits: Edits = {};
  const wrong: Record<string, string> = {};
  for (const [path, one] of Object.entries(typed)) {
    try {
      edits[path] = editOf(path, one, base);
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      wrong[path] = error.message;
    }
  }
  return { edits, wrong };
}
