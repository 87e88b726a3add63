// Reads from the API, and writes to it. Every failure becomes an ApiError that says what kind it is.
import { type Digits, parsed, written } from "./json";
import { type Session, SessionEnded } from "./sign_in";
import type { components, operations } from "./openapi";

/** A number of US dollars. */
export type Amount = number | Digits;
export type Incident = Omit<components["schemas"]["Incident"], "financial_impact"> & { financial_impact: Amount | null };
export type IncidentPage = Omit<components["schemas"]["IncidentPage"], "items"> & { items: Incident[] };
export type Change = components["schemas"]["Change"];
export type ChangePage = components["schemas"]["ChangePage"];
export type Finding = components["schemas"]["Finding"];
export type FindingPage = components["schemas"]["FindingPage"];
export type Metrics = components["schemas"]["Metrics"];
export type Durations = components["schemas"]["Durations"];
export type StageDeadline = components["schemas"]["StageDeadline"];
export type RegimeDeadlines = components["schemas"]["RegimeDeadlines"];
export type OpenStage = components["schemas"]["OpenStage"];
export type Deadlines = components["schemas"]["Deadlines"];
export type BoardEntry = components["schemas"]["BoardEntry"];
export type BoardPage = components["schemas"]["BoardPage"];
export type ListFilter = keyof NonNullable<operations["list_incidents"]["parameters"]["query"]>;

export type Kind = "offline" | "ended" | "forbidden" | "missing" | "limited" | "busy" | "refused" | "broken" | "stale" | "stopped";

export class ApiError extends Error {
  constructor(
    readonly kind: Kind,
    message: string,
    readonly requestId = "",
    readonly retryAfter = 0, // seconds, as the service asks, or 0
    readonly status = 0,
    /** The problem document, if the answer has one. */
    readonly problem: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

const KINDS: Record<number, Kind> = {
  400: "refused", 401: "ended", 403: "forbidden", 404: "missing", 409: "refused", 412: "stale", 413: "refused", 422: "refused",
  429: "limited", 503: "busy",
};

/** What a request that is repeated until it has an answer tells its caller on the way. */
export interface Attempt {
  signal: AbortSignal;
  /** Called before each wait, with the reason, and the seconds until the next try. */
  waits: (kind: Kind, seconds: number) => void;
  /** Whether the service may have done the request although no answer came. */
  unsure: boolean;
}

const LONGEST_WAIT = 30;

export class Api {
  /** ``base`` is the address of the incidents. ``second`` is the length of a second of waiting, in milliseconds. */
  constructor(readonly session: Session, readonly base: string, readonly second = 1000) {}

  async list(query: URLSearchParams, signal: AbortSignal): Promise<IncidentPage> {
    return this.#get("", query, signal);
  }

  async incident(id: string, signal: AbortSignal): Promise<Incident> {
    return this.#get(pathTo(id), new URLSearchParams(), signal);
  }

  async changes(id: string, cursor: string | null, signal: AbortSignal): Promise<ChangePage> {
    const query = new URLSearchParams({ limit: "100", ...(cursor ? { cursor } : {}) });
    return this.#get(`${pathTo(id)}/changes`, query, signal);
  }

  /**
   * Return the incident and all pages of its changes as texts, in which each number has the digits of the service. If
   * somebody changes the incident meanwhile, this reads again, up to five times. Raises ApiError.
   */
  async history(id: string, signal: AbortSignal): Promise<{ incident: string; pages: string[] }> {
    let incident = await this.#text("GET", pathTo(id), signal);
    for (let read = 0; read < 5; read += 1) {
      const pages = await this.#pagesOfChanges(id, signal);
      const now = await this.#text("GET", pathTo(id), signal);
      if (now === incident) return { incident, pages };
      incident = now;
    }
    throw new ApiError("stale", "The incident changes all the time. Check its history later.");
  }

  async #pagesOfChanges(id: string, signal: AbortSignal): Promise<string[]> {
    const pages: string[] = [];
    let cursor: string | null = null;
    do {
      const query = new URLSearchParams({ limit: "100", ...(cursor ? { cursor } : {}) });
      const page = await this.#text("GET", `${pathTo(id)}/changes?${query}`, signal);
      pages.push(page);
      cursor = (JSON.parse(page) as ChangePage).next_cursor;
    } while (cursor !== null);
    return pages;
  }

  async findings(id: string, cursor: string | null, signal: AbortSignal): Promise<FindingPage> {
    const query = new URLSearchParams({ limit: "10", ...(cursor ? { cursor } : {}) });
    return this.#get(`${pathTo(id)}/findings`, query, signal);
  }

  async metrics(query: URLSearchParams, signal: AbortSignal): Promise<Metrics> {
    return this.#get("/metrics", query, signal, JSON.parse); // the page computes with these numbers, and sends none back
  }

  async deadlines(id: string, signal: AbortSignal): Promise<Deadlines> {
    return this.#get(`${pathTo(id)}/deadlines`, new URLSearchParams(), signal, JSON.parse);
  }

  async board(query: URLSearchParams, signal: AbortSignal): Promise<BoardPage> {
    return this.#get("/deadlines", query, signal, JSON.parse);
  }

  async create(fields: unknown, key: string, attempt: Attempt): Promise<Incident> {
    return this.#settled(() => this.#answer("POST", "", attempt.signal, fields, { "idempotency-key": key }), attempt);
  }

  async patch(id: string, version: number, fields: unknown, attempt: Attempt): Promise<Incident> {
    return this.#settled(() => this.#answer("PATCH", pathTo(id), attempt.signal, fields, { "if-match": `"${version}"` }), attempt);
  }

  async remove(id: string, version: number, attempt: Attempt): Promise<void> {
    await this.#settled(() => this.#answer("DELETE", pathTo(id), attempt.signal, undefined, { "if-match": `"${version}"` }), attempt);
  }

  /** Return the incident as it is now. Unlike ``incident``, this repeats until it has an answer. */
  async current(id: string, attempt: Attempt): Promise<Incident> {
    return this.#settled(() => this.incident(id, attempt.signal), { ...attempt });
  }

  /** Return all changes of an incident, oldest first. Repeats until it has the answers. */
  async trail(id: string, attempt: Attempt): Promise<Change[]> {
    const changes: Change[] = [];
    let cursor: string | null = null;
    do {
      const page: ChangePage = await this.#settled(() => this.changes(id, cursor, attempt.signal), { ...attempt });
      changes.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return changes;
  }

  async #get<T>(path: string, query: URLSearchParams, signal: AbortSignal, read: (text: string) => unknown = parsed): Promise<T> {
    const asked = query.toString();
    return read(await this.#text("GET", path + (asked && `?${asked}`), signal)) as T;
  }

  /**
   * Repeat a request until it has a final answer.
   *
   * It waits for the network, for a busy service, and for somebody who signs in again. Each repetition is the same
   * request, with the same Idempotency-Key or the same If-Match.
   */
  async #settled<T>(request: () => Promise<T>, attempt: Attempt): Promise<T> {
    for (let failures = 1; ; failures += 1) {
      try {
        return await request();
      } catch (error) {
        if (attempt.signal.aborted) throw new ApiError("stopped", "Nobody knows yet whether the change was saved.");
        if (!(error instanceof ApiError)) throw error;
        if (error.kind === "offline" || error.kind === "busy" || error.kind === "broken") attempt.unsure = true;
        if (!["offline", "busy", "limited", "ended"].includes(error.kind)) throw error;
        const seconds = error.retryAfter || Math.min(LONGEST_WAIT, 2 ** failures);
        attempt.waits(error.kind, seconds);
        await (error.kind === "ended" ? this.#signedIn(attempt.signal) : this.#pause(seconds, attempt.signal));
      }
    }
  }

  /** Wait until the time has passed, or until the browser is online again. */
  #pause(seconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(end, seconds * this.second * (1 + Math.random() / 4));
      function end(): void {
        clearTimeout(timer);
        globalThis.removeEventListener?.("online", end);
        signal.removeEventListener("abort", end);
        done();
      }
      globalThis.addEventListener?.("online", end);
      signal.addEventListener("abort", end);
    });
  }

  #signedIn(signal: AbortSignal): Promise<void> {
    return new Promise((done) => {
      if (this.session.state === "signed in" || signal.aborted) return done();
      const forget = this.session.listen(() => this.session.state === "signed in" && end());
      const end = (): void => {
        forget();
        signal.removeEventListener("abort", end);
        done();
      };
      signal.addEventListener("abort", end);
    });
  }

  async #answer<T>(method: string, path: string, signal: AbortSignal, fields: unknown, headers: Record<string, string>): Promise<T> {
    const text = await this.#text(method, path, signal, fields, headers);
    return (text ? parsed(text) : null) as T;
  }

  async #text(method: string, path: string, signal: AbortSignal, fields?: unknown, headers: Record<string, string> = {}): Promise<string> {
    let response = await this.#fetch(method, path, signal, fields, headers);
    if (response.status === 401) {
      await this.session.renew().catch(translated);
      response = await this.#fetch(method, path, signal, fields, headers);
    }
    if (response.ok) return response.text;
    if (response.status === 401) this.session.end();
    let problem: Record<string, unknown> = {};
    try {
      problem = JSON.parse(response.text) as Record<string, unknown>;
    } catch {
      // the answer is not JSON, so the status says what there is to say
    }
    const text = (name: string): string => (typeof problem[name] === "string" ? (problem[name] as string) : "");
    throw new ApiError(
      KINDS[response.status] ?? "broken",
      text("detail") || text("message") || `The service answered ${response.status}.`,
      text("request_id") || (response.headers.get("apigw-requestid") ?? ""),
      Number(response.headers.get("retry-after")) || 0,
      response.status,
      problem,
    );
  }

  async #fetch(method: string, path: string, signal: AbortSignal, fields: unknown, headers: Record<string, string>) {
    const token = await this.session.token().catch(translated);
    try {
      const response = await fetch(this.base + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(fields === undefined ? {} : { "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json" }),
          ...headers,
        },
        ...(fields === undefined ? {} : { body: written(fields) }),
        cache: "no-store",
        credentials: "omit",
        signal,
      });
      return { ok: response.ok, status: response.status, headers: response.headers, text: await response.text() };
    } catch (error) {
      if (signal.aborted) throw error;
      throw new ApiError("offline", "The service did not answer.");
    }
  }
}

const pathTo = (id: string): string => `/${encodeURIComponent(id)}`;

/** Raise the ApiError of a failed renewal. */
function translated(error: unknown): never {
  if (error instanceof SessionEnded) throw new ApiError("ended", "Your session has ended.");
  throw new ApiError("offline", "The token issuer did not answer.");
}
