// What somebody typed and did not save yet. A draft lives in the memory of the page, outlives its view and the session,
// and knows how to be saved. Nothing of it is stored in the browser, because it is data of the tenant.
import { type Api, ApiError, type Attempt, type Change, type Incident, type Kind } from "./api";
import { editsOf, inFuture, inWords, type Typed } from "./fields";
import { type Collision, createOf, type Edits, made, merge, patchOf, pruned, type Values } from "./merge";

/** Edits that were sent, and of which nobody knows whether they were saved. */
interface Sent {
  edits: Edits;
  typed: Record<string, Typed>;
  key: string;
  /** Whether one of the requests of a create may have reached the service. */
  unsure: boolean;
}

/** The values that a new incident of the console has if nobody types others. */
const NEW = { source: "edm", source_type: "frontend", status: "new" };

export class Draft {
  typed: Record<string, Typed> = {};
  /** Whether a person typed into it. A draft that only has proposed values can be lost. */
  touched = false;
  collisions: Collision[] = [];
  /** What the person decided about a collision, by its path. */
  decided: Record<string, "mine" | "theirs"> = {};
  /** What is wrong, by path. The path "" has what belongs to no field. */
  wrong: Record<string, string> = {};
  /** The texts of times in the future that the person confirmed, by path. */
  sure: Record<string, Typed> = {};
  problem: ApiError | null = null;
  /** Why the draft waits to be sent again, and for how many seconds. Null if it does not wait. */
  waits: { kind: Kind; seconds: number } | null = null;
  #running: AbortController | null = null;
  #saving: Promise<Incident | null> | null = null;
  #sent: Sent[] = [];
  /** What the texts of collisions mean, by path. Read again beside the value of somebody else, a text may mean another type. */
  #meant: Record<string, { typed: Typed | undefined; value: unknown }> = {};
  #listeners = new Set<() => void>();

  /** ``base`` is the incident as it was when the person began, or null for a new incident. */
  constructor(public base: Incident | null) {}

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  get saving(): boolean {
    return this.#running !== null;
  }

  /** The incident as a form shows it. A new one has only what the service would set. */
  get values(): Values {
    return (this.base ?? NEW) as unknown as Values;
  }

  type(path: string, typed: Typed, byPerson = true): void {
    this.typed[path] = typed;
    this.touched ||= byPerson;
    delete this.wrong[path];
    this.changed();
  }

  /** Confirm a time in the future, or take the confirmation back. */
  confirm(path: string, sure: boolean): void {
    const typed = this.typed[path];
    if (sure && typed !== undefined) this.sure[path] = typed;
    else delete this.sure[path];
    delete this.wrong[path];
    this.changed();
  }

  /** Say what is wrong with a field before anything is sent. */
  refuse(path: string, fault: string): void {
    this.wrong = { [path]: fault };
    this.changed();
  }

  /** Whether a request was sent, and nobody knows yet whether it was saved. */
  get unanswered(): boolean {
    return this.saving || this.#sent.length > 0;
  }

  /** Whether saving would change or find out something, or the text of a field means no value. */
  get dirty(): boolean {
    const { edits, wrong } = this.#read(this.values);
    return this.#sent.length > 0 || Object.keys(wrong).length > 0 || Object.keys(pruned(this.values, edits)).length > 0;
  }

  /** The collisions that nobody decided yet. */
  get open(): Collision[] {
    return this.collisions.filter(({ path }) => !(path in this.decided));
  }

  decide(path: string, whose: "mine" | "theirs"): void {
    this.decided[path] = whose;
    this.changed();
  }

  stop(): void {
    this.#running?.abort();
  }

  /**
   * Save the draft, or wait for the save that already runs. Return the incident as it then is, or null if there is
   * something to correct, to decide or to retry.
   */
  async save(api: Api): Promise<Incident | null> {
    this.#saving ??= this.#run((attempt) => (this.base ? this.#update(api, attempt) : this.#create(api, attempt)))
      .finally(() => (this.#saving = null));
    return this.#saving;
  }

  /** Delete the incident, if it is still as the person saw it. */
  async remove(api: Api): Promise<Incident | null> {
    return this.#run(async (attempt) => {
      const base = this.#known();
      try {
        await api.remove(base.id, base.version, attempt);
      } catch (error) {
        if (!(error instanceof ApiError) || error.kind !== "stale") throw error;
        const current = await api.current(base.id, attempt);
        this.base = current;
        if (!current.is_deleted) {
          this.typed = {};
          throw new ApiError("stale", `${current.updated_by} changed the incident meanwhile. Look at it, and type its number again.`);
        }
      }
      return { ...base, is_deleted: true };
    });
  }

  async #run(work: (attempt: Attempt) => Promise<Incident | null>): Promise<Incident | null> {
    if (this.#running) return null;
    this.#running = new AbortController();
    const waits = (kind: Kind, seconds: number): void => {
      this.waits = { kind, seconds };
      this.changed();
    };
    this.problem = null;
    this.wrong = {};
    this.changed();
    try {
      return await work({ signal: this.#running.signal, waits, unsure: false });
    } catch (error) {
      this.problem = error instanceof ApiError ? error : new ApiError("broken", String(error));
      this.wrong = faults(this.problem);
      return null;
    } finally {
      this.#running = null;
      this.waits = null;
      this.changed();
    }
  }

  #known(): Incident {
    if (!this.base) throw new Error("The incident is not created yet.");
    return this.base;
  }

  /** Return what the typed texts mean, and what is wrong with the others. */
  #read(base: Values): { edits: Edits; wrong: Record<string, string> } {
    const { edits, wrong } = editsOf(this.typed, base);
    for (const [path, { typed, value }] of Object.entries(this.#meant)) if (typed !== undefined && this.typed[path] === typed) {
      edits[path] = { value };
      delete wrong[path];
    }
    return { edits, wrong };
  }

  /** Return the edits, or null if the text of a field means no value, or a time that a person must confirm. */
  #edits(): Edits | null {
    const { edits, wrong } = this.#read(this.values);
    this.wrong = { ...wrong, ...inFuture(edits, this.typed, this.values, this.sure, Date.now()) };
    return Object.keys(this.wrong).length > 0 ? null : edits;
  }

  /**
   * Create the incident. While nobody knows whether the service got a create, the same create is sent again, with the
   * same key. What was typed since then becomes an edit of the created incident.
   */
  async #create(api: Api, attempt: Attempt): Promise<Incident | null> {
    let sent = this.#sent[0];
    if (!sent) {
      const edits = this.#edits();
      if (!edits) return null;
      sent = { edits, typed: { ...this.typed }, key: crypto.randomUUID(), unsure: false };
      this.#sent = [sent];
    }
    let created: Incident;
    try {
      created = await api.create({ source_type: NEW.source_type, ...createOf(sent.edits) }, sent.key, attempt);
    } catch (error) {
      sent.unsure ||= attempt.unsure || !(error instanceof ApiError) || error.kind === "stopped";
      if (error instanceof ApiError && (error.kind === "refused" || !sent.unsure)) this.#sent = [];
      throw error;
    }
    // The answer to a repeated create has the present values. The person has only seen the first ones.
    this.base = created.version === 1 ? created : asCreated(created, await api.trail(created.id, attempt));
    this.#sent = [];
    this.#drop(sent.typed);
    return this.dirty ? this.#update(api, attempt) : this.#saved(created);
  }

  async #update(api: Api, attempt: Attempt): Promise<Incident | null> {
    for (;;) {
      const wanted = this.#edits();
      if (!wanted) return null;
      if (this.collisions.length > 0) {
        if (this.open.length > 0) return null;
        for (const { path } of this.collisions) if (this.decided[path] === "theirs") {
          delete this.typed[path];
          delete wanted[path];
        }
        this.collisions = [];
        this.decided = {};
      }
      const base = this.#known();
      const edits = pruned(this.values, wanted);
      if (Object.keys(edits).length === 0) {
        if (this.#sent.length === 0) return this.#saved(base);
        await this.#catchUp(api, attempt); // an earlier request may have saved what the person took back since
        if (this.open.length > 0) return null;
        continue;
      }
      const sent = { edits, typed: { ...this.typed }, key: "", unsure: true };
      const asked = { ...attempt, unsure: false };
      try {
        this.base = await api.patch(base.id, base.version, patchOf(this.values, edits), asked);
        this.#sent = [];
        this.#drop(sent.typed);
        return this.#saved(this.base, this.dirty);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (asked.unsure || error.kind === "stopped") this.#sent.push(sent);
        if (error.kind !== "stale") throw error;
      }
      await this.#catchUp(api, attempt);
      if (this.open.length > 0) return null;
    }
  }

  /**
   * Merge what others changed meanwhile. If an answer to an earlier request was lost, the trail says whether that request
   * made the version after the base. Then it is saved, and is not sent again.
   */
  async #catchUp(api: Api, attempt: Attempt): Promise<void> {
    let base = this.#known();
    let saved: Record<string, Typed> = {};
    if (this.#sent.length > 0) {
      const change = (await api.trail(base.id, attempt)).find(({ version }) => version === base.version + 1);
      const able = change ? this.#sent.filter(({ edits }) => isMine(change, edits, api.session.person.subject)) : [];
      // A change explains also a smaller request than the one that made it. So the largest counts, and then the newest.
      const [mine] = able.reverse().sort((one, other) => Object.keys(other.edits).length - Object.keys(one.edits).length);
      if (change && mine) {
        const after = Object.fromEntries(Object.entries(change.changes).map(([name, { to }]) => [name, to]));
        base = { ...base, ...after, version: change.version };
        saved = mine.typed;
      }
    }
    const current = await api.current(base.id, attempt);
    this.#drop(saved); // only now: if the read fails, the next attempt begins with the former base again
    this.#sent = [];
    const { edits } = this.#read(base as unknown as Values);
    this.collisions = merge(base as unknown as Values, current as unknown as Values, edits).collisions;
    for (const { path, mine } of this.collisions) this.#meant[path] = { typed: this.typed[path], value: mine };
    this.decided = {};
    this.base = current;
  }

  /** Forget what was saved. What was typed since it was sent stays. */
  #drop(saved: Record<string, Typed>): void {
    for (const [path, typed] of Object.entries(saved)) {
      const now = this.typed[path];
      if (now !== undefined && JSON.stringify(now) === JSON.stringify(typed)) delete this.typed[path];
      else if (typeof now === "object" && typeof typed === "object") this.typed[path] = since(typed, now);
    }
  }

  #saved(incident: Incident, more = false): Incident {
    this.base = incident;
    this.touched = more;
    if (!more) this.typed = {};
    this.#meant = {};
    this.collisions = [];
    return incident;
  }
}

type Items = Exclude<Typed, string>;

/** Return what was typed into a list since ``saved`` was sent: items that are still to be added, and to be removed. */
function since(saved: Items, now: Items): Items {
  const same = now.typing === saved.typing;
  const [had, has] = [[...saved.add, saved.typing.trim()], [...now.add, same ? now.typing.trim() : ""]];
  const without = (these: string[], those: string[]): string[] => these.filter((one) => one && !those.includes(one));
  return {
    add: [...without(has, had), ...without(saved.remove, now.remove)],
    remove: [...without(now.remove, saved.remove), ...without(had, has)],
    typing: same ? "" : now.typing,
  };
}

/** Return an incident with the values of its version 1. ``trail`` are its changes, oldest first. */
function asCreated(incident: Incident, trail: Change[]): Incident {
  const later = trail.filter(({ version }) => version > 1 && version <= incident.version).reverse();
  const before = later.flatMap(({ changes }) => Object.entries(changes).map(([name, { from }]) => [name, from]));
  return { ...incident, ...Object.fromEntries(before), version: 1 };
}

const isMine = (change: Change, edits: Edits, subject: string): boolean =>
  (!subject || change.by === subject) && made(edits, Object.fromEntries(Object.entries(change.changes).map(([name, { to }]) => [name, to])));

/** Return the errors of a problem document by path. An error of an item belongs to its list. */
function faults({ problem }: ApiError): Record<string, string> {
  const found: Record<string, string> = {};
  const errors = Array.isArray(problem["errors"]) ? (problem["errors"] as { pointer: string; detail: string }[]) : [];
  for (const { pointer, detail: theirs } of errors) {
    const detail = inWords(theirs);
    const path = pointer.slice(1);
    const place = path.startsWith("regulatory_reports/") ? path : (path.split("/")[0] ?? "");
    found[place] = found[place] ? `${found[place]}; ${detail}` : detail;
  }
  return found;
}

const drafts = new Map<string, Draft>();

/** Return the draft with a name, such as "new" or "inc_… edit". If there is none with anything in it, begin it with ``base``. */
export function draftOf(name: string, base: Incident | null): Draft {
  const known = drafts.get(name);
  if (known && (isKept(known) || (known.base?.version ?? 0) >= (base?.version ?? 0))) return known;
  const draft = new Draft(base);
  drafts.set(name, draft);
  return draft;
}

const isKept = (draft: Draft): boolean => draft.touched || draft.saving || draft.collisions.length > 0;

/** Return the draft with a name if a person typed into it, or null. */
export const kept = (name: string): Draft | null => {
  const draft = drafts.get(name);
  return draft && isKept(draft) ? draft : null;
};

/** Forget a draft, and stop its saving. */
export function discard(name: string): void {
  drafts.get(name)?.stop();
  drafts.delete(name);
}
export const discardAll = (): void => [...drafts.keys()].forEach(discard);

/** Return the drafts with something that a person typed, by name. */
export const unsaved = (): [name: string, draft: Draft][] => [...drafts].filter(([, draft]) => draft.saving || (draft.touched && draft.dirty));
