// Reads and writes JSON without a change. JavaScript itself rounds long numbers, writes 1.0 as 1 and -0.0 as 0, and
// moves names such as "10" to the front of an object.

/** A number that JavaScript would write with other digits. */
export class Digits {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

export type Members = [name: string, value: unknown][];

const TOKENS = /"([^"\\]*(?:\\.[^"\\]*)*)"|-?\d[-+.\deE]*/g;

/**
 * Return the value of a JSON text. ``number`` and ``object`` make the numbers from their digits, and the objects from
 * their members. Raises SyntaxError.
 */
export function read(text: string, number: (digits: string) => unknown, object: (members: Members) => unknown): unknown {
  JSON.parse(text); // refuses what is no JSON
  // Each string and name gets a mark, and each number becomes a marked string. So JSON.parse changes neither digits nor order.
  const marked = text.replace(TOKENS, (token, inside?: string) => (inside === undefined ? `"#${token}"` : `"'${inside}"`));
  return JSON.parse(marked, (_, value: unknown) => {
    if (typeof value === "string") return value.startsWith("#") ? number(value.slice(1)) : value.slice(1);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return object(Object.entries(value).map(([name, one]) => [name.slice(1), one]));
  });
}

/** Return the value of a JSON text. It has Digits and maps where JavaScript would change digits or the order of names. */
export const parsed = (text: string): unknown => read(
  text,
  (digits) => (String(Number(digits)) === digits ? Number(digits) : new Digits(digits)),
  (all) => (all.some(([name]) => /^\d+$/.test(name)) ? new Map(all) : Object.fromEntries(all)),
);

/** Return a value as JSON, with a line for each member if there is a ``space``. ``sorted`` sorts the members as RFC 8785 does. */
export function written(value: unknown, space = "", sorted = false, indent = space && "\n"): string {
  if (value instanceof Digits) return value.text;
  const own = members(value);
  if (!own && !Array.isArray(value)) return JSON.stringify(value);
  if (own && sorted) own.sort(([left], [right]) => (left < right ? -1 : 1));
  const inner = indent + space;
  const one = (part: unknown): string => written(part, space, sorted, inner);
  const parts = own ? own.map(([name, part]) => `${JSON.stringify(name)}:${space && " "}${one(part)}`) : (value as unknown[]).map(one);
  const all = parts.length > 0 ? inner + parts.join(`,${inner}`) + indent : "";
  return own ? `{${all}}` : `[${all}]`;
}

/** Return the members of an object in their order, or null if the value is no object. */
export function members(value: unknown): Members | null {
  if (value instanceof Map) return [...value];
  return typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Digits ? null : Object.entries(value);
}
