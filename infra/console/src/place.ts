// Where the reader is. All of it stands in the address after "#", which browsers send to no server.
import { useEffect, useState } from "preact/hooks";

export type Place =
  | { view: "list"; query: URLSearchParams }
  | { view: "incident"; id: string; change: string }
  | { view: "edit"; id: string; part: string }
  | { view: "new" }
  | { view: "number"; number: string }
  | { view: "board"; query: URLSearchParams }
  | { view: "metrics"; query: URLSearchParams }
  | { view: "unknown" };

export const HOME = "#/?open=true";

export const listAt = (query: URLSearchParams): string => `#/?${query.toString()}`;
export const incidentAt = (id: string): string => `#/incidents/${encodeURIComponent(id)}`;
export const editAt = (id: string, part = ""): string => `${incidentAt(id)}/edit${part && `/${part}`}`;
export const changeAt = (id: string, version: number): string => `${incidentAt(id)}/changes/${version}`;
export const boardAt = (query: URLSearchParams): string => `#/deadlines?${query.toString()}`;
export const NEW = "#/new";
export const metricsAt = (query: URLSearchParams): string => `#/metrics?${query.toString()}`;

const ID = /^inc_[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** Return the place that an address names. */
export function read(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const named = nameIn(path);
  if (named) return ID.test(named) ? { view: "incident", id: named, change: "" } : { view: "number", number: named };
  const [, changed = "", change = ""] = /^\/incidents\/([^/]+)\/changes\/([0-9]+)$/.exec(path) ?? [];
  if (ID.test(changed)) return { view: "incident", id: changed, change };
  const [, edited = "", part = ""] = /^\/incidents\/([^/]+)\/edit(?:\/([a-z-]+))?$/.exec(path) ?? [];
  if (ID.test(edited)) return { view: "edit", id: edited, part };
  if (path === "/new") return { view: "new" };
  if (path === "/deadlines") return { view: "board", query: new URLSearchParams(query) };
  if (path === "/metrics") return { view: "metrics", query: new URLSearchParams(query) };
  if (path === "/" || path === "") return { view: "list", query: new URLSearchParams(query) };
  return { view: "unknown" };
}

/** Return the id or the number in the address of an incident. */
function nameIn(path: string): string {
  try {
    return decodeURIComponent(/^\/incidents\/([^/]+)$/.exec(path)?.[1] ?? "");
  } catch {
    return ""; // the percent signs are no encoding
  }
}

/** Go to an address. With ``replace``, the browser's "back" skips the address that is left. */
export function go(hash: string, replace = false): void {
  if (hash === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Return the current address, and follow it. */
export function useHash(): string {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    addEventListener("popstate", follow);
    return () => {
      removeEventListener("hashchange", follow);
      removeEventListener("popstate", follow);
    };
  }, []);
  return hash;
}
