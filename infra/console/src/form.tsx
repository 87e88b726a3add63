// The parts of a form: an input for each kind of field, what is wrong with it, and how its saving goes.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import type { Kind } from "./api";
import type { Draft } from "./draft";
import { asks, clears, fieldAt, inWords, now, type Typed, typedMoment, typedOf } from "./fields";
import { written } from "./json";
import { at } from "./merge";
import { Prose, say, Text } from "./parts";
import { moment, typedIn, words, ZONE } from "./texts";

/** Render again whenever a draft changes. */
export function useDraft(draft: Draft): void {
  const [, render] = useReducer((n: number, _: void) => n + 1, 0);
  useLayoutEffect(() => draft.listen(() => render()), [draft]); // before the next key arrives
}

const idOf = (path: string): string => `field-${path.replaceAll("/", "-")}`;

/** An input for the value at a path, with its label. */
export function Input({ draft, path, label }: { draft: Draft; path: string; label?: string }) {
  const field = fieldAt(path);
  const name = label ?? field.label;
  const id = idOf(path);
  const typed = draft.typed[path];
  const text = typeof typed === "string" ? typed : typedOf(path, at(draft.values, path));
  const wrong = draft.wrong[path];
  const hint = field.kind === "moment" ? `${typedIn(ZONE)}${field.hint ? `. ${field.hint}` : ""}` : field.hint;
  const isSure = typed !== undefined && draft.sure[path] === typed;
  const about = { id, "aria-invalid": !!wrong, "aria-describedby": `${id}-about`, autocomplete: "off" } as const;
  const type = ({ currentTarget }: { currentTarget: { value: string } }) => draft.type(path, currentTarget.value);
  return (
    <div class={wrong ? "input wrong" : "input"}>
      {field.kind === "list" ? <Items draft={draft} path={path} label={name} about={about} /> : (
        <>
          <label for={id}>{name}{!clears(path) && <span class="muted"> (required)</span>}</label>
          {field.kind === "prose" || field.kind === "json" ? (
            <textarea {...about} rows={field.kind === "prose" ? 6 : 4} value={text} onInput={type} />
          ) : field.kind === "choice" ? (
            <select {...about} value={text} onChange={type}>
              {clears(path) && <option value="">{path === "severity" ? "not rated" : "–"}</option>}
              {(field.words ?? []).map((word) => <option key={word} value={word}>{word}</option>)}
            </select>
          ) : (
            <span class="line">
              <input {...about} value={text} onInput={type} list={field.words && `${id}-words`} placeholder={field.kind === "moment" ? "2026-11-24 23:40" : ""} inputMode={field.kind === "amount" ? "decimal" : "text"} />
              {field.kind === "moment" && <button type="button" class="quiet" onClick={() => {
                draft.type(path, typedMoment(now()));
                document.getElementById(id)?.focus();
              }} aria-label={`${name}: now`}>Now</button>}
            </span>
          )}
        </>
      )}
      {field.words && field.kind !== "choice" && <datalist id={`${id}-words`}>{field.words.map((word) => <option key={word} value={word} />)}</datalist>}
      <p class="small muted" id={`${id}-about`}>{wrong && <strong class="fault">{name} {wrong}. </strong>}{hint}</p>
      {(isSure || asks(wrong)) && <label class="choice"><input type="checkbox" checked={isSure} onChange={() => draft.confirm(path, !isSure)} />This time is in the future, and it is right</label>}
    </div>
  );
}

/** The items of a list. Somebody adds and removes single items, so that two people can do so at the same time. */
function Items({ draft, path, label, about }: { draft: Draft; path: string; label: string; about: { id: string } & Record<string, unknown> }) {
  const typed = draft.typed[path];
  const edit = typeof typed === "object" ? typed : { add: [], remove: [], typing: "" };
  const held = at(draft.values, path);
  const items = Array.isArray(held) ? (held as string[]) : [];
  const set = (change: Partial<Exclude<Typed, string>>) => draft.type(path, { ...edit, ...change });
  const add = () => {
    const item = edit.typing.trim();
    if (!item) return;
    if (edit.remove.includes(item)) set({ remove: edit.remove.filter((one) => one !== item), typing: "" });
    else set({ add: edit.add.includes(item) || items.includes(item) ? edit.add : [...edit.add, item], typing: "" });
    say(`Added ${item}`);
  };
  const field = fieldAt(path);
  return (
    <>
      <label for={about.id}>{label}</label>
      <ul class="items">
        {[...items, ...edit.add.filter((one) => !items.includes(one))].map((item) => {
          const gone = edit.remove.includes(item);
          return (
            <li key={item} class={gone ? "gone" : ""}>
              {gone ? <s><Text of={item} /></s> : <Text of={item} />}
              <button type="button" class="quiet" aria-label={gone ? `Keep ${item}` : `Remove ${item}`} onClick={() => {
                if (gone) set({ remove: edit.remove.filter((one) => one !== item) });
                else if (items.includes(item)) set({ remove: [...edit.remove, item] });
                else set({ add: edit.add.filter((one) => one !== item) });
                say(gone ? `Kept ${item}` : `Removed ${item}`);
              }}>{gone ? "Keep" : "Remove"}</button>
            </li>
          );
        })}
      </ul>
      <span class="line">
        <input {...about} value={edit.typing} list={field.words && `${about.id}-words`} placeholder="Add one"
          onInput={({ currentTarget }) => set({ typing: currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || !edit.typing.trim()) return;
            event.preventDefault(); // Enter in an empty input saves the form
            add();
          }} />
        <button type="button" onClick={add} aria-label={`Add to ${label}`}>Add</button>
      </span>
    </>
  );
}

const WAITS: Partial<Record<Kind, string>> = {
  offline: "No answer yet. The page sends the same change again",
  busy: "The service is busy. The page sends the same change again",
  limited: "Too many requests. The page tries again",
  ended: "Your session has ended. Sign in above. Then the page goes on by itself. Nothing is lost",
};

const TITLES: Partial<Record<Kind, string>> = {
  forbidden: "You may not change this", missing: "There is no such incident", stale: "The incident changed meanwhile",
  stopped: "Stopped. Save again to learn whether the change was saved",
};

/** How the saving goes: what the draft waits for, what failed, and what to correct. */
export function Progress({ draft, labels = {} }: { draft: Draft; labels?: Record<string, string> }) {
  const { problem, waits } = draft;
  const wrong = Object.entries(draft.wrong);
  return (
    <div class="progress" role="status">
      {draft.saving && <p>{waits ? <>{WAITS[waits.kind]}{waits.kind === "ended" ? "." : ` in ${Math.round(waits.seconds)} s.`}</> : "Saving…"}{" "}
        {waits && <button type="button" class="quiet" onClick={() => draft.stop()}>Stop trying</button>}</p>}
      {problem && (
        <div class="fault">
          <p><strong>{TITLES[problem.kind] ?? "Not saved"}.</strong> {wrong.length === 0 && <Text of={inWords(problem.message)} />}</p>
          {Array.isArray(problem.problem["allowed_transitions"]) && <p>It can become: {problem.problem["allowed_transitions"].join(", ")}.</p>}
          {problem.requestId && problem.kind === "broken" && <p class="small">Request id: <code>{problem.requestId}</code></p>}
        </div>
      )}
      {wrong.length > 0 && <ul class="fault">{wrong.map(([path, fault]) => (
        <li key={path}>{document.getElementById(idOf(path)) ? <>Correct <a href={location.hash} onClick={(event) => {
          event.preventDefault();
          document.getElementById(idOf(path))?.focus();
        }}>{labels[path] ?? fieldAt(path).label}</a></> : <>{path && fieldAt(path).label} <Text of={fault} /></>}</li>
      ))}</ul>}
    </div>
  );
}

/** What others wrote into the same places meanwhile. Each place asks whose value stays. */
export function Collisions({ draft }: { draft: Draft }) {
  const first = useRef<HTMLHeadingElement>(null);
  const count = draft.collisions.length;
  useEffect(() => {
    if (count > 0) first.current?.focus();
  }, [count]);
  if (count === 0) return null;
  const by = draft.base?.updated_by ?? "";
  const value = (path: string, of: unknown): ComponentChildren => of === null || of === undefined || of === "" ? <span class="muted">nothing</span>
    : fieldAt(path).kind === "moment" && typeof of === "string" ? moment(of) : typeof of === "string" ? <Prose text={of} /> : <code>{written(of)}</code>;
  return (
    <section class="card collisions">
      <h2 ref={first} tabIndex={-1}>Somebody else changed the same {count === 1 ? "field" : "fields"}</h2>
      <p>Last change: <Text of={by} />. Nothing of yours is lost. All other fields are merged. Decide for each field below, then save again.</p>
      {draft.collisions.map(({ path, base, mine, theirs }) => (
        <fieldset key={path}>
          <legend>{fieldAt(path).label}</legend>
          <dl>
            <div><dt>Before</dt><dd>{value(path, base)}</dd></div>
            <div><dt>Theirs</dt><dd>{value(path, theirs)}</dd></div>
            <div><dt>Yours</dt><dd>{value(path, mine)}</dd></div>
          </dl>
          {(["mine", "theirs"] as const).map((whose) => (
            <label key={whose} class="choice"><input type="radio" name={`whose-${path}`} checked={draft.decided[path] === whose}
              onChange={() => draft.decide(path, whose)} />{whose === "mine" ? "Keep yours" : "Take theirs"}</label>
          ))}
        </fieldset>
      ))}
    </section>
  );
}

/** A question before something that cannot be undone. */
export function Ask({ title, children, yes, no, act, close }: {
  title: string; children: ComponentChildren; yes: string; no: string; act: () => void; close: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="asked" onClose={close}>
      <h2 id="asked">{title}</h2>
      {children}
      <div class="actions">
        <button type="button" class="primary" onClick={() => dialog.current?.close()}>{no}</button>
        <button type="button" onClick={() => {
          dialog.current?.close();
          act();
        }}>{yes}</button>
      </div>
    </dialog>
  );
}

/** A button that asks before it discards what was typed. */
export function Discard({ draft, act }: { draft: Draft; act: () => void }) {
  const [asks, setAsks] = useState(false);
  if (!draft.touched) return null;
  return (
    <>
      <button type="button" onClick={() => setAsks(true)}>Discard</button>
      {asks && <Ask title="Discard what you typed?" yes="Discard" no="Keep" act={act} close={() => setAsks(false)}>
        <p>These fields return to what is saved: {Object.keys(draft.typed).map((path) => words(fieldAt(path).label)).join(", ")}.</p>
      </Ask>}
    </>
  );
}
