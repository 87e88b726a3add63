// The three-way merge of an edit: what the person changed, what others changed meanwhile, and what both began with.
//
// An edit has a path, such as "title" or "regulatory_reports/eu-gdpr/anchors/aware". In a step, "~1" stands for "/" and
// "~0" for "~", as in a JSON pointer (RFC 6901). All functions are pure.
import { members, written } from "./json";

/** What a person changed in one place: a new value, or items that a list gains and loses. */
export type Edit = { value: unknown } | { add: string[]; remove: string[] };
export type Edits = Record<string, Edit>;
export type Values = Record<string, unknown>;

/** A place in which the person and somebody else wrote different values. */
export interface Collision {
  path: string;
  base: unknown;
  mine: unknown;
  theirs: unknown;
}

export const isList = (edit: Edit): edit is { add: string[]; remove: string[] } => "add" in edit;
const steps = (path: string): string[] => path.split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
export const pathOf = (...names: string[]): string => names.map((name) => name.replaceAll("~", "~0").replaceAll("/", "~1")).join("/");

/** Return the value at a path, or null if there is none. */
export function at(values: Values, path: string): unknown {
  let value: unknown = values;
  for (const step of steps(path)) value = new Map(members(value)).get(step);
  return value ?? null;
}

/** Return the edits that would change ``values``. */
export function pruned(values: Values, edits: Edits): Edits {
  const left: Edits = {};
  for (const [path, edit] of Object.entries(edits)) {
    const held = at(values, path);
    if (!isList(edit)) {
      if (!same(edit.value, held)) left[path] = edit;
      continue;
    }
    const items = asList(held);
    const [add, remove] = [[...new Set(edit.add)].filter((one) => !items.includes(one)), edit.remove.filter((one) => items.includes(one))];
    if (add.length + remove.length > 0) left[path] = { add, remove };
  }
  return left;
}

/**
 * Return the edits that are still to be made in ``theirs``, and those of them that collide.
 *
 * Different places never collide, and neither do two edits of a list: each item that the person added or removed is
 * added to or removed from the list as it is now. A place collides if both wrote it, and not the same value.
 */
export function merge(base: Values, theirs: Values, mine: Edits): { edits: Edits; collisions: Collision[] } {
  const edits = pruned(theirs, mine);
  const collisions = Object.entries(edits).flatMap(([path, edit]) => {
    const [before, now] = [at(base, path), at(theirs, path)];
    return isList(edit) || same(before, now) ? [] : [{ path, base: before, mine: edit.value, theirs: now }];
  });
  return { edits, collisions };
}

/** Return the merge patch (RFC 7396) that makes the edits in ``values``. */
export function patchOf(values: Values, edits: Edits): Values {
  const patch: Values = {};
  for (const [path, edit] of Object.entries(edits)) {
    const names = steps(path);
    const last = names.pop() ?? "";
    let inner = patch;
    for (const name of names) inner = (inner[name] ??= {}) as Values;
    inner[last] = isList(edit) ? edit : difference(at(values, path), edit.value);
  }
  return patch;
}

/** Return the merge patch that turns a value into another. It does not name the members that stay as they are. */
function difference(before: unknown, after: unknown): unknown {
  const now = members(after);
  if (!now) return after;
  const was = new Map(members(before));
  const names = new Set(now.map(([name]) => name));
  return new Map([
    ...[...was.keys()].filter((name) => !names.has(name)).map((name) => [name, null] as const),
    ...now.filter(([name, value]) => !same(was.get(name), value)).map(([name, value]) => [name, difference(was.get(name), value)] as const),
  ]);
}

/** Return whether a value would get a new member with the value null. In a merge patch, null removes the member. */
export function gainsNull(before: unknown, after: unknown): boolean {
  const was = new Map(members(before));
  return (members(after) ?? []).some(([name, value]) => !same(was.get(name), value) && (value === null || gainsNull(was.get(name), value)));
}

/** Return the fields of a new incident. Its lists have no items yet. */
export const createOf = (edits: Edits): Values => Object.fromEntries(Object.entries(edits)
  .filter(([, edit]) => isList(edit) || edit.value !== null).map(([path, edit]) => [path, isList(edit) ? edit.add : edit.value]));

/** Return whether an entry of the trail, with its new values ``after``, is the one that the edits made. */
export const made = (edits: Edits, after: Values): boolean => Object.keys(pruned(after, edits)).length === 0
  && Object.keys(edits).every((path) => Object.hasOwn(after, steps(path)[0] ?? ""));

/** Return whether two values have the same text as JSON. The order of members does not matter. */
export const same = (left: unknown, right: unknown): boolean => left === right || written(left, "", true) === written(right, "", true);

const asList = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
