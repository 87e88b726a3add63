// A card of an incident: rows with a label and a value.
import type { ComponentChildren } from "preact";
import { Copyable } from "./parts";

export type Row = [label: string, value: ComponentChildren];

/** A card with a row for each field that is known. The unknown fields stand together in one line, with the title if nothing else is known. */
export function Card(
  { title, level = 2, rows, edit, children }: {
    title: ComponentChildren; level?: 2 | 3; rows: (Row | null | false)[]; edit?: string; children?: ComponentChildren;
  },
) {
  const Heading = `h${level}` as const;
  const known = rows.filter((row): row is Row => !!row && row[1] !== null);
  const unknown = rows.filter((row): row is Row => !!row && row[1] === null).map(([label]) => label);
  return (
    <section class={known.length > 0 || children ? "card" : "card folded"}>
      <Heading>{title}{edit && <> <a class="edit-part" href={edit} aria-label={`Edit: ${typeof title === "string" ? title : "part"}`}>Edit</a></>}</Heading>
      {children}
      {known.length > 0 && (
        <dl>{known.map(([label, value]) => <div key={label}><dt>{label}</dt><dd>{value}</dd></div>)}</dl>
      )}
      {unknown.length > 0 && <p class="small muted">Not recorded: {unknown.join(", ").toLowerCase()}.</p>}
    </section>
  );
}

/** Return identifiers, each with a button that copies it, or null. */
export const ids = (values: string[], label: string): ComponentChildren =>
  values.length === 0 ? null : (
    <ul class="ids">{values.map((one) => <li key={one}><Copyable text={one} label={`${label} ${one}`} /></li>)}</ul>
  );
