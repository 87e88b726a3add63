// Small parts that all views share.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "./api";
import type { Loaded } from "./load";
import { moment, utc, visible } from "./texts";

/** A caller's text. Its direction cannot change the order of what stands around it. */
export const Text = ({ of }: { of: string }) => <bdi>{visible(of)}</bdi>;

export const Time = ({ at }: { at: string }) => (
  <time dateTime={at} title={utc(at)}>{moment(at)}</time>
);

export const Severity = ({ of }: { of: string | null }) => (
  <span class={`severity ${of ?? "none"}`}>{of ?? "not rated"}</span>
);

/** Return whether something was just copied, and the function that copies it. */
function useCopy(label: string): [copied: boolean, copy: (text: string) => void] {
  const [copied, setCopied] = useState(false);
  const copy = (text: string) => void navigator.clipboard.writeText(text).then(() => {
    setCopied(true);
    say(`Copied ${label}`);
    setTimeout(() => setCopied(false), 2000);
  }, () => say("The browser did not allow the copy"));
  return [copied, copy];
}

/** An identifier with a button that copies it. */
export function Copyable({ text, label }: { text: string; label: string }) {
  const [copied, copy] = useCopy(label);
  return (
    <span class="copyable">
      <code><Text of={text} /></code>
      <button type="button" class="quiet" aria-label={`Copy ${label}`} onClick={() => copy(text)}>{copied ? "Copied" : "Copy"}</button>
    </span>
  );
}

/** A button that copies the address of what the page shows, or another address of the page. */
export function CopyLink({ to }: { to?: string }) {
  const [copied, copy] = useCopy("link");
  return <button type="button" class="quiet" onClick={() => copy(to === undefined ? location.href : new URL(to, location.href).href)}>{copied ? "Copied" : "Copy link"}</button>;
}

/** A text of any length. Only the beginning of a long one is shown at first. */
export function Prose({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  const long = text.length > 1200;
  return (
    <div class="prose">
      <Text of={long && !open ? `${text.slice(0, 1000)}…` : text} />
      {long && (
        <button type="button" class="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Show less" : `Show all ${text.length.toLocaleString("en-US")} characters`}
        </button>
      )}
    </div>
  );
}

/** Tell people who use a screen reader what changed. */
export function say(what: string): void {
  const region = document.getElementById("said");
  if (region) region.textContent = what;
}

/** A button that opens a panel. Escape and a click elsewhere close it, and focus returns to the button. */
export function Menu(
  { label, on, children }: { label: string; on: boolean; children: (close: () => void) => ComponentChildren },
) {
  const [open, setOpen] = useState(false);
  const [alignEnd, setAlignEnd] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useLayoutEffect(() => {
    if (!open) return;
    setAlignEnd((box.current?.getBoundingClientRect().left ?? 0) > document.documentElement.clientWidth / 2);
    box.current?.querySelector<HTMLElement>("[aria-current=true], input, select")?.focus();
    const outside = (event: Event) => {
      // A click on the banner of an ended session keeps what is typed in the panel.
      if (event.target instanceof Element && !box.current?.contains(event.target) && !event.target.closest(".banner")) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [open]);
  return (
    <div class="menu" ref={box} onKeyDown={(event) => {
      if (event.key !== "Escape" || !open) return;
      event.stopPropagation();
      close();
    }}>
      <button type="button" ref={button} class={on ? "chip on" : "chip"} aria-expanded={open} onClick={() => setOpen(!open)}>
        {label}
      </button>
      {open && <div class={alignEnd ? "panel end" : "panel"}>{children(close)}</div>}
    </div>
  );
}

const ADVICE: Record<ApiError["kind"], [title: string, advice: string]> = {
  offline: ["No connection", "Check your network. The page loads as soon as the browser is online again."],
  ended: ["Your session has ended", "Sign in again. What you see stays as it is."],
  forbidden: ["You may not read this", "Ask an administrator for the scope incidents:read."],
  missing: ["There is no such incident", "It may belong to another tenant, or the address is incomplete. Ask the person who sent it."],
  limited: ["Too many requests", "The page tries again by itself in a few seconds."],
  busy: ["The service is busy", "The page tries again by itself in a few seconds."],
  refused: ["The service refused this view", "The address names a filter or value that the service does not take."],
  stale: ["The incident changed meanwhile", "Load it again."],
  stopped: ["Stopped", "Try again."],
  broken: ["Something went wrong", "Try again. If it happens again, send the request id to your operators."],
};

/** What to do about an error. */
export function Trouble({ of, again, children }: { of: ApiError; again: () => void; children?: ComponentChildren }) {
  const [title, advice] = ADVICE[of.kind];
  const repeats = of.kind === "busy" || of.kind === "limited";
  return (
    <div class="state" role="alert">
      <h2>{title}</h2>
      <p>{advice}</p>
      {(of.kind === "refused" || of.kind === "broken") && <p class="detail"><Text of={of.message} /></p>}
      <div class="actions">
        {of.kind !== "missing" && of.kind !== "ended" && (
          <button type="button" onClick={again}>{repeats ? "Try now" : "Try again"}</button>
        )}
        {of.kind === "refused" && children}
      </div>
      {of.requestId && <p class="small">Request id: <Copyable text={of.requestId} label="request id" /></p>}
    </div>
  );
}

/** What stands in a view's place until its first value is there. */
export function Pending<T>({ of, what, children }: { of: Loaded<T>; what: string; children?: ComponentChildren }) {
  if (of.error) return <Trouble of={of.error} again={of.again}>{children}</Trouble>;
  return <div class="state loading" role="status"><p>Loading {what}…</p></div>;
}

/** A remark above a value that is older than the failed load after it. */
export function Stale<T>({ of }: { of: Loaded<T> }) {
  return of.error && of.value ? <Trouble of={of.error} again={of.again} /> : null;
}

/** Give focus to the heading of a view that was opened from another one. */
export function useHeading(title: string) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Incidents`;
  }, [title]);
  return heading;
}
