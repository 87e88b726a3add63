// What somebody can do with an incident in one step: take it, move it on, delete and restore it.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Api, Incident } from "./api";
import { NEXT, STATUSES } from "./bounds";
import { discard, type Draft, draftOf, kept } from "./draft";
import { fieldAt, now, typedMoment, typedOf } from "./fields";
import { at } from "./merge";
import { Collisions, Input, Progress, useDraft } from "./form";
import { say, Text } from "./parts";

/** A small form with a draft of its own. ``begin`` gives the draft its first values. */
export function Step({ api, of: one, name, title, verb, paths, begin, done, close, children }: {
  api: Api; of: Incident; name: string; title: string; verb: string; paths: [path: string, label: string][];
  begin: (draft: Draft) => void; done: () => void; close: () => void; children?: ComponentChildren;
}) {
  const [draft] = useState(() => {
    const made = draftOf(`${one.id} ${name}`, one);
    if (!made.touched && !made.saving) begin(made);
    return made;
  });
  useDraft(draft);
  const box = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => { // before the next key arrives
    const opener = document.activeElement;
    box.current?.querySelector<HTMLElement>("input, select, button[type=submit]")?.focus();
    return () => {
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  /** Return what a first save would miss: the time of the step, or any value at all. */
  const missing = (): string => {
    const [first, ...more] = paths.map(([path]) => ({ path, held: at(draft.values, path), typed: draft.typed[path] ?? typedOf(path, at(draft.values, path)) }));
    if (first && !String(first.typed).trim() && fieldAt(first.path).kind === "moment" && (!first.held || more.some(({ typed }) => typed))) return "needs a time";
    return draft.dirty || draft.collisions.length > 0 ? "" : first?.typed ? "has not changed" : "needs a value";
  };
  const end = () => {
    discard(`${one.id} ${name}`);
    close();
  };
  const save = async () => {
    const fault = draft.saving ? "" : missing();
    if (fault) draft.refuse(paths[0]?.[0] ?? "", fault);
    const saved = !fault && (await draft.save(api));
    if (!saved) return box.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
    if (draft.dirty) return done(); // what was typed meanwhile is not saved yet
    say("Saved");
    end();
    done();
  };
  useEffect(() => {
    if (draft.saving) void save(); // the person left the step during its save, and opened it again
  }, []);
  return (
    <form ref={box} class="card step" noValidate aria-label={title} onSubmit={(event) => {
      event.preventDefault();
      void save();
    }}>
      <h2>{title}</h2>
      {children}
      <Collisions draft={draft} />
      {paths.map(([path, label]) => <Input key={path} draft={draft} path={path} label={label} />)}
      <Progress draft={draft} labels={Object.fromEntries(paths)} />
      <div class="actions">
        <button type="submit" class="primary" disabled={draft.saving || draft.open.length > 0}>{verb}</button>
        <button type="button" onClick={() => {
          if (draft.unanswered) done(); // the incident may have changed
          end();
        }}>Cancel</button>
      </div>
    </form>
  );
}

type Status = Incident["status"];
const STAMPS: Partial<Record<Status, "contained_at" | "closed_at">> = { contained: "contained_at", closed: "closed_at" };

/** The statuses that may follow, the likeliest one first. */
export function Moves({ api, of: one, done, closing }: { api: Api; of: Incident; done: () => void; closing: ComponentChildren }) {
  const [to, setTo] = useState<Status | null>(() => STATUSES.find((status) => kept(`${one.id} move to ${status}`)) ?? null);
  const buttons = useRef<HTMLDivElement>(null);
  const before = useRef(one.status);
  useEffect(() => {
    if (before.current !== one.status) buttons.current?.querySelector<HTMLElement>("button")?.focus(); // the pressed button is gone
    before.current = one.status;
  }, [one.status]);
  const order = STATUSES as readonly string[];
  const forward = (status: string): number => (order.indexOf(status) - order.indexOf(one.status) + order.length) % order.length;
  const next = [...NEXT[one.status]].sort((a, b) => forward(a) - forward(b));
  const stamp = to && !(to === "contained" && one.contained_at) ? STAMPS[to] : undefined;
  return (
    <>
      <div class="actions moves" ref={buttons} role="group" aria-label="Move the incident to another status">
        {next.map((status, index) => (
          <button key={status} type="button" class={index === 0 ? "primary" : ""} aria-expanded={to === status} onClick={() => setTo(status)}>
            {one.status === "closed" || one.status === "dismissed" ? `Reopen: ${status}` : `Move to ${status}`}
          </button>
        ))}
      </div>
      {to && (
        <Step key={to} api={api} of={one} name={`move to ${to}`} title={`Move to ${to}`} verb={`Move to ${to}`}
          paths={stamp ? [[stamp, stamp === "closed_at" ? "Closed" : "Contained"]] : []}
          begin={(draft) => {
            draft.type("status", to, false);
            if (stamp) draft.type(stamp, typedMoment(latest(one)), false);
          }}
          done={done} close={() => setTo(null)}>
          {one.status === "closed" && <p>The closing time and the time to resolve are cleared. The history keeps them.</p>}
          {to === "closed" && closing}
          {to === "dismissed" && <p>A dismissed incident counts in no time to resolve, and leaves the board of deadlines.</p>}
          {to === "contained" && one.contained_at && <p>The time of the first containment stays.</p>}
        </Step>
      )}
    </>
  );
}

const focusHeading = (): void => document.querySelector<HTMLElement>("main h1")?.focus();

/** Return now, or the latest milestone if it is later, as the service would stamp it. */
const latest = (one: Incident): string =>
  [now(), one.occurred_at, one.detected_at, one.contained_at].reduce<string>((last, at) => (at && at > last ? at : last), "");

/** A button that makes the reader the owner. */
export function Take({ api, of: one, done }: { api: Api; of: Incident; done: () => void }) {
  const draft = draftOf(`${one.id} owner`, one);
  useDraft(draft);
  const { subject } = api.session.person;
  if (!subject || one.owner_id === subject) return null;
  return (
    <>
      <button type="button" disabled={draft.saving || draft.open.length > 0} onClick={async () => {
        draft.type("owner_id", subject, false);
        const saved = await draft.save(api);
        if (!saved) return;
        discard(`${one.id} owner`);
        say(saved.owner_id === subject ? "You are the owner" : `${saved.owner_id ?? "Nobody"} is the owner`);
        focusHeading();
        done();
      }}>{draft.collisions.length > 0 ? "Save" : "Take this incident"}</button>
      <Collisions draft={draft} />
      <Progress draft={draft} />
    </>
  );
}

/** Deletion, or the restoration of a deleted incident. Both ask for the incident's number. */
export function Removal({ api, of: one, done, open, setOpen }: {
  api: Api; of: Incident; done: () => void; open: boolean; setOpen: (open: boolean) => void;
}) {
  const [typed, setTyped] = useState("");
  const [verb, what] = one.is_deleted ? ["Restore", "restore"] : ["Delete", "delete"];
  const name = `${one.id} ${what}`;
  const draft = draftOf(name, one);
  useDraft(draft);
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (open) input.current?.focus();
  }, [open]);
  if (!open) return <p class="removal"><button type="button" onClick={() => setOpen(true)}>{verb} this incident…</button></p>;
  return (
    <form class="card step" noValidate onSubmit={async (event) => {
      event.preventDefault();
      if (typed.trim() !== one.incident_number.trim()) return say(`Type ${one.incident_number} to ${what} it`);
      setTyped("");
      if (one.is_deleted) draft.type("is_deleted", "false", false);
      if (!(await (one.is_deleted ? draft.save(api) : draft.remove(api)))) return done();
      discard(name);
      setOpen(false);
      say(`${verb}d ${one.incident_number}`);
      focusHeading();
      done();
    }}>
      <h2>{verb} this incident</h2>
      <p>{one.is_deleted ? "It returns to the list and to the metrics, as it was." : "It leaves the list and the metrics. Its history stays, and it can be restored."}</p>
      <div class="input">
        <label for="number-typed">To {what} it, type its number: <Text of={one.incident_number} /></label>
        <input ref={input} id="number-typed" autocomplete="off" value={typed} onInput={({ currentTarget }) => setTyped(currentTarget.value)} />
      </div>
      <Progress draft={draft} />
      <div class="actions">
        <button type="submit" class="primary" disabled={draft.saving || typed.trim() !== one.incident_number.trim()}>{verb}</button>
        <button type="button" onClick={() => setOpen(false)}>Cancel</button>
      </div>
    </form>
  );
}
