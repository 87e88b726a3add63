// Checks the hashes in the history of an incident, by the rules of docs/history.md.
//
// The check reads the texts of the service's answers, because JavaScript rounds some numbers, and moves names such as
// "10" to the front of an object.
import { Digits, read, written } from "./json";

/** What a check of a history found. */
export interface Check {
  /** The faults of the changes, oldest first, then those of the incident's values. */
  faults: string[];
  /** The version of the newest checked change. */
  last: number;
  /** The versions of the changes that have no hash. */
  unhashed: number[];
  /** The oldest version to whose values the present values must lead back, or null if the check did not check the values. */
  since: number | null;
}

type Value = string | boolean | null | Digits | Value[] | Fields;
type Fields = Map<string, Value>;

const JSON_FIELDS = ["lessons_learned", "regulatory_reports"];
const SCHEMA_VERSION = 1; // a later release may convert the values of an incident, which this check does not know

/** Return what the hashes prove about an incident. ``pages`` are the pages of its changes, oldest first. All are JSON texts. */
export async function check(incident: string, pages: string[]): Promise<Check> {
  const now = parsed(incident) as Fields;
  const version = whole(now.get("version"));
  const values = asStored(now);
  const faults: string[] = [];
  const schema = whole(now.get("schema_version"));
  const isKnown = schema === SCHEMA_VERSION;
  if (!isKnown) faults.push(`the incident's values cannot be checked, because its schema_version is ${schema}`);
  const unhashed: number[] = [];
  let chains: { first: Fields; before: Fields }[] = []; // ``before`` has the values of the first change that later changes changed
  const latest: Fields = new Map(); // the values after the last change
  let last = 0;
  let hashed: Fields | null = null;
  for (const change of pages.flatMap((page) => (parsed(page) as Fields).get("items") as Fields[])) {
    const number = whole(change.get("version"));
    if (number > version) {
      faults.push(`change ${number} is newer than the incident, which has version ${version}`);
      break;
    }
    if (number !== last + 1) faults.push(`change ${number} follows change ${last}`);
    last = number;
    if (number === 1 && (["at", "by"] as const).some((stamp) => change.get(stamp) !== now.get(`created_${stamp}`))) {
      faults.push("the incident was created at another time or by somebody else than change 1 says");
    }
    const changed: Fields = new Map([...(change.get("changes") as Fields)].map(([field, ends]) => [
      field, new Map([...(ends as Fields)].map(([end, value]) => [end, stored(field, value)])),
    ]));
    if (change.has("state_hash")) latest.clear(); // this hash covers the values of all earlier changes
    for (const [field, stamp] of [["updated_at", "at"], ["updated_by", "by"]] as const) latest.set(field, change.get(stamp) ?? null);
    for (const [field, ends] of changed) latest.set(field, (ends as Fields).get("to") ?? null);
    for (const { before } of chains) {
      for (const [field, ends] of changed) if (!before.has(field)) before.set(field, (ends as Fields).get("from") ?? null);
    }
    const hash = change.get("hash") ?? null;
    if (hash === null) {
      unhashed.push(number);
      continue;
    }
    const entry: Fields = new Map([
      ...change, ["changes", changed], ["tenant_id", now.get("tenant_id") ?? null], ["incident_id", now.get("id") ?? null],
      ["previous_hash", hashed?.get("hash") ?? null],
    ]);
    entry.delete("hash");
    if (await sha256(entry) !== hash) faults.push(`change ${number} differs from its hash`);
    const follows: boolean = hashed !== null && whole(hashed.get("version")) === number - 1;
    if (change.has("state_hash") && follows && isKnown) faults.push(`change ${number} begins a chain, but the change before it has a hash`);
    if (change.has("state_hash")) chains.push({ first: change, before: new Map() });
    else if (!follows) faults.push(`change ${number} continues a chain, but the change before it has no hash`);
    hashed = change;
  }
  if (last !== version) faults.push(`the incident has version ${version}, but its last change is ${last}`);
  for (const [field, value] of latest) {
    if (filled(values.get(field)) !== filled(value)) faults.push(`the incident's ${field} is not the value after its last change`);
  }
  if (!isKnown) chains = [];
  for (const { first, before } of chains) {
    const state: Fields = new Map([...values, ...before]);
    for (const [field, stamp] of [["version", "version"], ["updated_at", "at"], ["updated_by", "by"]] as const) state.set(field, first.get(stamp) ?? null);
    for (const [field, value] of state) if (value === null || (Array.isArray(value) && value.length === 0)) state.delete(field);
    if (await sha256(state) !== first.get("state_hash")) faults.push(`the incident's values do not lead back to the values after change ${whole(first.get("version"))}`);
  }
  return { faults, last, unhashed, since: chains[0] ? whole(chains[0].first.get("version")) : null };
}

/** Return what a check proves, for people: the verdict, and what the check cannot prove. */
export function verdict({ faults, last, unhashed, since }: Check): { text: string; limits: string } {
  const old = unhashed.length === 0 ? "" : ` ${counted(unhashed)} no hash, like the changes of release 0.1.0, so nothing proves ${unhashed.length === 1 ? "it" : "them"}.`;
  if (faults[0]) {
    const more = faults.length - 1;
    return { text: `Fault: ${faults[0]}.${more === 0 ? "" : ` The check found ${more} more ${more === 1 ? "fault" : "faults"}.`}${old}`, limits: "" };
  }
  if (unhashed.length === last) return { text: `Not proved:${old}`, limits: "" };
  const checked = last - unhashed.length;
  const fit = checked === 1 ? "1 change fits its hash" : `${checked} changes fit their hashes`;
  return {
    text: `No fault: ${fit}, and the incident's values lead back to the values after change ${since}.${old}`,
    limits: "The check finds altered, removed, added and swapped changes. It cannot notice that somebody removed the newest "
      + "changes and also set the incident back, removed the hashes of all or of the newest changes, or computed all later hashes anew.",
  };
}

/** Return versions as words, such as "Changes 1 to 3 and 7 have". */
function counted(versions: number[]): string {
  const spans: [number, number][] = [];
  for (const version of versions) {
    const span = spans.at(-1);
    if (span?.[1] === version - 1) span[1] = version;
    else spans.push([version, version]);
  }
  const words = spans.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`));
  const end = words.pop();
  const all = words.length > 0 ? `${words.join(", ")} and ${end}` : end;
  return versions.length === 1 ? `Change ${all} has` : `Changes ${all} have`;
}

/** Return the value of a JSON text. All numbers are Digits, and all objects are maps. */
const parsed = (text: string): Value => read(text, (digits) => new Digits(digits), (members) => new Map(members)) as Value;

/** Return a value as it enters a hash: amounts and JSON fields as text. */
function stored(field: string, value: Value): Value {
  if (value !== null && JSON_FIELDS.includes(field)) return written(value);
  return field === "financial_impact" && value instanceof Digits ? value.text : value;
}

const asStored = (fields: Fields): Fields => new Map([...fields].map(([field, value]) => [field, stored(field, value)]));
const filled = (value: Value | undefined): string => (Array.isArray(value) && value.length === 0 ? "null" : written(value ?? null, "", true));
const whole = (value: Value | undefined): number => (value instanceof Digits ? Number(value.text) : NaN);

async function sha256(value: Value): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(written(value, "", true)));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
