// Loads what a view shows, and loads it again when that can help.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api";
import type { Session } from "./sign_in";

export interface Loaded<T> {
  value: T | null;
  error: ApiError | null;
  loading: boolean;
  again: () => void;
}

const LONGEST_WAIT = 30;

/**
 * Return what ``load`` gives for ``key``.
 *
 * A new key loads anew, and what was shown for the old key is dropped. After "busy" and "too many requests", the load
 * repeats by itself: after the time that the service asks for, or after 2, 4, 8 ... 30 seconds. After "offline", it
 * repeats when the browser is online again. After the end of the session, it repeats once somebody signed in.
 */
export function useLoad<T>(
  key: string, session: Session, load: (signal: AbortSignal) => Promise<T>,
): Loaded<T> {
  const [shown, setShown] = useState<{ key: string; value: T | null; error: ApiError | null; loading: boolean }>({
    key, value: null, error: null, loading: true,
  });
  const [attempt, setAttempt] = useState(0);
  const failures = useRef(0);
  const again = useCallback(() => setAttempt((n) => n + 1), []);

  useEffect(() => {
    failures.current = 0;
  }, [key]);

  useEffect(() => {
    const aborter = new AbortController();
    let timer = 0;
    setShown((before) => ({ ...(before.key === key ? before : { value: null, error: null }), key, loading: true }));
    load(aborter.signal).then(
      (value) => {
        if (aborter.signal.aborted) return;
        failures.current = 0;
        setShown({ key, value, error: null, loading: false });
      },
      (error: unknown) => {
        if (aborter.signal.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError("broken", String(error));
        setShown((before) => ({ ...before, key, error: known, loading: false }));
        if (known.kind === "busy" || known.kind === "limited") {
          failures.current += 1;
          const wait = known.retryAfter || Math.min(LONGEST_WAIT, 2 ** failures.current);
          timer = window.setTimeout(again, wait * 1000 * (1 + Math.random() / 4));
        }
      },
    );
    return () => {
      aborter.abort();
      clearTimeout(timer);
    };
  }, [key, attempt]);

  const kind = shown.error?.kind;
  useEffect(() => {
    if (kind !== "offline") return;
    addEventListener("online", again);
    return () => removeEventListener("online", again);
  }, [kind]);
  useEffect(() => {
    if (kind !== "ended") return;
    return session.listen(() => session.state === "signed in" && again());
  }, [kind]);

  return { value: shown.key === key ? shown.value : null, error: shown.key === key ? shown.error : null, loading: shown.key !== key || shown.loading, again };
}

/** Return the time, and render again each minute, so that ages stay true. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 60_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
