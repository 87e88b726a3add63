// Reads from the API. Every failure becomes an ApiError that says what kind it is.
import { type Session, SessionEnded } from "./sign_in";
import type { components, operations } from "./openapi";

export type Incident = components["schemas"]["Incident"];
export type IncidentPage = components["schemas"]["IncidentPage"];
export type Change = components["schemas"]["Change"];
export type ChangePage = components["schemas"]["ChangePage"];
export type Finding = components["schemas"]["Finding"];
export type FindingPage = components["schemas"]["FindingPage"];
export type Metrics = components["schemas"]["Metrics"];
export type Durations = components["schemas"]["Durations"];
export type ListFilter = keyof NonNullable<operations["list_incidents"]["parameters"]["query"]>;

export type Kind = "offline" | "ended" | "forbidden" | "missing" | "limited" | "busy" | "refused" | "broken";

export class ApiError extends Error {
  constructor(
    readonly kind: Kind,
    message: string,
    readonly requestId = "",
    readonly retryAfter = 0, // seconds, as the service asks, or 0
  ) {
    super(message);
  }
}

const KINDS: Record<number, Kind> = {
  400: "refused", 401: "ended", 403: "forbidden", 404: "missing", 422: "refused", 429: "limited", 503: "busy",
};

export class Api {
  /** The console's own address ends in "/console", below that of the incidents. */
  readonly base = location.pathname.replace(/\/console\/?$/, "");

  constructor(readonly session: Session) {}

  async list(query: URLSearchParams, signal: AbortSignal): Promise<IncidentPage> {
    return this.#get("", query, signal);
  }

  async incident(id: string, signal: AbortSignal): Promise<Incident> {
    return this.#get(`/${encodeURIComponent(id)}`, new URLSearchParams(), signal);
  }

  async changes(id: string, cursor: string | null, signal: AbortSignal): Promise<ChangePage> {
    const query = new URLSearchParams({ limit: "100", ...(cursor ? { cursor } : {}) });
    return this.#get(`/${encodeURIComponent(id)}/changes`, query, signal);
  }

  async findings(id: string, cursor: string | null, signal: AbortSignal): Promise<FindingPage> {
    const query = new URLSearchParams({ limit: "10", ...(cursor ? { cursor } : {}) });
    return this.#get(`/${encodeURIComponent(id)}/findings`, query, signal);
  }

  async metrics(query: URLSearchParams, signal: AbortSignal): Promise<Metrics> {
    return this.#get("/metrics", query, signal);
  }

  async #get<T>(path: string, query: URLSearchParams, signal: AbortSignal): Promise<T> {
    let response = await this.#fetch(path, query, signal);
    if (response.status === 401) {
      await this.session.renew().catch(translated);
      response = await this.#fetch(path, query, signal);
    }
    if (response.ok) return (await response.json()) as T;
    if (response.status === 401) this.session.end();
    const problem = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    const text = (name: string): string => (typeof problem[name] === "string" ? (problem[name] as string) : "");
    throw new ApiError(
      KINDS[response.status] ?? "broken",
      text("detail") || text("message") || `The service answered ${response.status}.`,
      text("request_id") || (response.headers.get("apigw-requestid") ?? ""),
      Number(response.headers.get("retry-after")) || 0,
    );
  }

  async #fetch(path: string, query: URLSearchParams, signal: AbortSignal): Promise<Response> {
    const token = await this.session.token().catch(translated);
    const asked = query.toString();
    try {
      return await fetch(this.base + path + (asked && `?${asked}`), {
        headers: { authorization: `Bearer ${token}` },
        cache: "no-store",
        credentials: "omit",
        signal,
      });
    } catch (error) {
      if (signal.aborted) throw error;
      throw new ApiError("offline", "The service did not answer.");
    }
  }
}

/** Raise the ApiError of a failed renewal. */
function translated(error: unknown): never {
  if (error instanceof SessionEnded) throw new ApiError("ended", "Your session has ended.");
  throw new ApiError("offline", "The token issuer did not answer.");
}
