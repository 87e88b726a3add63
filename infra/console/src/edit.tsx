// The forms for a new incident, and for the fields of an incident.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Api, Incident } from "./api";
import { discard, type Draft, draftOf, kept } from "./draft";
import { PARTS } from "./fields";
import { Collisions, Discard, Input, Progress, useDraft } from "./form";
import { useLoad } from "./load";
import { Pending, say, Text, useHeading } from "./parts";
import { editAt, go, HOME, incidentAt, NEW } from "./place";

/** The fields of a new incident that stand open. The others are folded. */
const FIRST = ["title", "severity", "category", "description", "affected_asset_ids", "occurred_at", "detected_at", "owner_id"];

export function NewView({ api, listHash }: { api: Api; listHash: string }) {
  const draft = draftOf("new", null);
  useDraft(draft);
  const heading = useHeading("New incident");
  useEffect(() => heading.current?.focus(), []);
  if (!api.session.person.writes) return <ReadOnly />;
  const rest = PARTS.flatMap(({ fields }) => Object.keys(fields)).filter((name) => !FIRST.includes(name));
  return (
    <main id="main">
      <p class="crumbs"><a href={listHash || HOME}>List</a> <span aria-hidden="true">›</span> New incident</p>
      <h1 ref={heading} tabIndex={-1}>New incident</h1>
      <Form api={api} draft={draft} name="new" verb="Create" back={listHash || HOME}>
        <section class="card">{FIRST.map((path) => <Input key={path} draft={draft} path={path} />)}</section>
        <details class="card" open={rest.some((path) => path in draft.typed || path in draft.wrong) || undefined}>
          <summary>More fields</summary>
          {["status", "incident_number", ...rest].filter((path) => path !== "closed_at" || draft.typed["status"] === "closed")
            .map((path) => <Input key={path} draft={draft} path={path} />)}
        </details>
      </Form>
    </main>
  );
}

export function EditView({ api, id, part }: { api: Api; id: string; part: string }) {
  const name = `${id} edit`;
  const loaded = useLoad(name, api.session, (signal) => api.incident(id, signal));
  const draft = loaded.value ? draftOf(name, loaded.value) : kept(name);
  if (!api.session.person.writes) return <ReadOnly />;
  return (
    <main id="main">
      <p class="crumbs"><a href={incidentAt(id)}>{draft?.base ? <Text of={draft.base.incident_number} /> : "Incident"}</a> <span aria-hidden="true">›</span> Edit</p>
      {draft?.base ? <Fields api={api} draft={draft} of={draft.base} name={name} part={part} />
        : <><h1 class="hidden" tabIndex={-1}>Edit an incident</h1><Pending of={loaded} what="the incident" /></>}
    </main>
  );
}

function Fields({ api, draft, of: one, name, part }: { api: Api; draft: Draft; of: Incident; name: string; part: string }) {
  useDraft(draft);
  const heading = useHeading(`Edit ${one.incident_number}`);
  useLayoutEffect(() => {
    const section = part ? document.getElementById(`part-${part}`) : null;
    section?.scrollIntoView();
    (section?.querySelector<HTMLElement>("input, select, textarea") ?? heading.current)?.focus();
  }, []);
  return (
    <>
      <h1 ref={heading} tabIndex={-1}>Edit <Text of={one.title} /></h1>
      <Form api={api} draft={draft} name={name} verb="Save" back={incidentAt(one.id)}>
        {PARTS.map(({ part, title, fields }) => (
          <section class="card" key={part} id={`part-${part}`}>
            <h2>{title}</h2>
            {Object.keys(fields).filter((path) => path !== "closed_at" || one.status === "closed").map((path) => <Input key={path} draft={draft} path={path} />)}
          </section>
        ))}
      </Form>
    </>
  );
}

const ReadOnly = () => (
  <main id="main"><div class="state"><h1 tabIndex={-1}>You may not change incidents</h1>
    <p>Ask an administrator for the scope incidents:write. Then sign out, and sign in again.</p>
    <div class="actions"><a class="button" href={HOME}>Open incidents</a></div></div></main>
);

/** A form around a draft. After it is saved, the incident is shown. */
function Form({ api, draft, name, verb, back, children }: {
  api: Api; draft: Draft; name: string; verb: string; back: string; children: ComponentChildren;
}) {
  const form = useRef<HTMLFormElement>(null);
  const save = async () => {
    const saved = await draft.save(api);
    // This form is shown, or another one of the same draft: the person may have left it, and opened it again.
    const shown = saved && location.hash.startsWith(name === "new" ? NEW : editAt(saved.id));
    if (saved && !draft.dirty) {
      discard(name);
      if (shown) go(incidentAt(saved.id), true);
      say(`Saved ${saved.incident_number}`);
    } else if (saved && name === "new") {
      discard(name);
      Object.assign(draftOf(`${saved.id} edit`, saved), { typed: draft.typed, touched: true });
      if (shown) go(editAt(saved.id), true);
    } else {
      form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
    }
  };
  return (
    <form ref={form} class="edit" noValidate onSubmit={(event) => {
      event.preventDefault();
      void save();
    }}>
      <Collisions draft={draft} />
      {children}
      <div class="bar">
        <Progress draft={draft} />
        <div class="actions">
          <button type="submit" class="primary" disabled={draft.saving || draft.open.length > 0}>{verb}</button>
          <a class="button" href={back}>{draft.touched ? "Back, and keep the draft" : "Back"}</a>
          <Discard draft={draft} act={() => {
            discard(name);
            go(back);
          }} />
        </div>
      </div>
    </form>
  );
}
