// The console: reads its configuration, signs in, and shows the view that the address names.
import { render } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import "./console.css";
import { Api } from "./api";
import { Board } from "./board";
import { discardAll, unsaved } from "./draft";
import { EditView, NewView } from "./edit";
import { Ask } from "./form";
import { ByNumber, IncidentView } from "./incident";
import { List } from "./list";
import { MetricsView } from "./metrics";
import { Text } from "./parts";
import { editAt, go, HOME, incidentAt, NEW, read, useHash } from "./place";
import { type Config, passOn, Session } from "./sign_in";
import { ZONE } from "./texts";

function App({ api, session }: { api: Api; session: Session }) {
  const [, render] = useState(0);
  useEffect(() => session.listen(() => render((n) => n + 1)), []);
  const hash = useHash();
  const place = read(hash);
  const listHash = useRef(HOME);
  if (place.view === "list") listHash.current = hash || HOME;
  const [help, setHelp] = useState(false);
  const [keys, setKeys] = useState(true);
  useKeys(keys, () => setHelp(true));
  if (session.state === "signed out") return <SignedOut session={session} />;
  return (
    <>
      <button type="button" class="skip" onClick={() => {
        const heading = document.querySelector<HTMLElement>("main h1");
        heading?.focus();
      }}>Skip to the content</button>
      <Head session={session} view={place.view} listHash={listHash.current} onHelp={() => setHelp(true)} />
      {session.state === "ended" && <Ended session={session} />}
      {place.view === "list" && <List api={api} query={place.query} />}
      {place.view === "incident" && <IncidentView key={place.id} api={api} id={place.id} change={place.change} listHash={listHash.current} />}
      {place.view === "edit" && <EditView key={place.id} api={api} id={place.id} part={place.part} />}
      {place.view === "new" && <NewView api={api} listHash={listHash.current} />}
      {place.view === "number" && <ByNumber key={place.number} api={api} number={place.number} />}
      {place.view === "board" && <Board api={api} query={place.query} />}
      {place.view === "metrics" && <MetricsView api={api} query={place.query} />}
      {place.view === "unknown" && (
        <main id="main"><div class="state"><h1 tabIndex={-1}>There is no such page</h1><p>The address is incomplete, or of another version.</p>
          <div class="actions"><a class="button" href={HOME}>Open incidents</a></div></div></main>
      )}
      <p class="printed small">{location.href}<br />{session.person.name} of {session.person.tenant}. Times in {ZONE.replaceAll("_", " ")}.</p>
      <p id="said" class="hidden" role="status" />
      {help && <Help keys={keys} setKeys={setKeys} close={() => setHelp(false)} />}
    </>
  );
}

function Head({ session, view, listHash, onHelp }: { session: Session; view: string; listHash: string; onHelp: () => void }) {
  const { name, tenant, app } = session.person;
  const list = ["list", "incident", "edit", "number"].includes(view);
  const [asks, setAsks] = useState(false);
  const drafts = unsaved();
  return (
    <header class="top">
      <a class="brand" href={HOME} title="All open incidents">Incidents</a>
      <nav aria-label="Views">
        <a href={listHash} class={list ? "on" : ""} aria-current={view === "list" ? "page" : undefined}>List</a>
        <a href="#/deadlines" class={view === "board" ? "on" : ""} aria-current={view === "board" ? "page" : undefined}>Deadlines</a>
        <a href="#/metrics" class={view === "metrics" ? "on" : ""} aria-current={view === "metrics" ? "page" : undefined}>Metrics</a>
        {session.person.writes && <a href={NEW} class={view === "new" ? "on" : ""} aria-current={view === "new" ? "page" : undefined}>New</a>}
      </nav>
      {drafts.length > 0 && <p class="unsaved">Unsaved: {drafts.map(([name, { base }]) => (
        <a key={name} href={!base ? NEW : name.endsWith(" edit") ? editAt(base.id) : incidentAt(base.id)}>{base ? <Text of={base.incident_number} /> : "a new incident"}</a>
      ))}</p>}
      <p class="who">
        {tenant && <span><Text of={tenant} /></span>}
        {app && <span>application <Text of={app} /></span>}
        {name && <span title="signed in as"><Text of={name} /></span>}
        <span>times in {ZONE.replaceAll("_", " ")}</span>
      </p>
      <div class="session">
        <button type="button" class="quiet" onClick={onHelp}>Keys</button>
        <button type="button" class="quiet" onClick={() => (unsaved().length > 0 ? setAsks(true) : session.signOut())}>Sign out</button>
      </div>
      {asks && <Ask title="Sign out, and lose what is not saved?" yes="Sign out" no="Stay" close={() => setAsks(false)} act={() => {
        discardAll();
        session.signOut();
      }}><p>What you typed is only in the memory of this page.</p></Ask>}
    </header>
  );
}

/** The session ended while the page is open. The page stays, and a window of its own signs in again. */
function Ended({ session }: { session: Session }) {
  useEffect(() => {
    const before = document.activeElement;
    return () => {
      const target = before instanceof HTMLElement && before.isConnected ? before : document.querySelector<HTMLElement>("main h1");
      target?.focus();
    };
  }, []);
  return (
    <div class="banner" role="alert">
      <p><strong>Your session has ended.</strong> Sign in again in a small window. This page stays as it is.
        {session.failure && <> <Text of={session.failure} /></>}</p>
      <button type="button" class="primary" onClick={() => void session.renewInWindow()}>Sign in again</button>
    </div>
  );
}

const SignedOut = ({ session }: { session: Session }) => (
  <main id="main" class="alone">
    <h1>Incidents</h1>
    {session.failure ? <p role="alert"><strong>The sign-in failed.</strong> <Text of={session.failure} /></p> : <p>You are signed out.</p>}
    {!session.isLocal && <p>Sign in with your company's account.</p>}
    <button type="button" class="primary" onClick={() => void session.leave()}>Sign in</button>
  </main>
);

const KEYS: [keys: string[], meaning: string][] = [
  [["j", "k"], "Go to the next or the previous incident of the list"],
  [["Enter"], "Open the incident that has the focus"],
  [["u"], "Go back to the list"],
  [["/"], "Search"],
  [["f"], "Go to the filters"],
  [["?"], "Show these keys"],
];

function Help({ keys, setKeys, close }: { keys: boolean; setKeys: (on: boolean) => void; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="help" onClose={close}>
      <h2 id="help">Keys</h2>
      <dl>{KEYS.map(([names, meaning]) => (
        <div key={meaning}><dt>{names.map((name) => <kbd key={name}>{name}</kbd>)}</dt><dd>{meaning}</dd></div>
      ))}</dl>
      <label class="choice"><input type="checkbox" checked={keys} onChange={() => setKeys(!keys)} /> Keys of one character are on</label>
      <button type="button" class="primary" onClick={() => dialog.current?.close()}>Close</button>
    </dialog>
  );
}

/** Keys of one character, except while somebody types. */
function useKeys(on: boolean, help: () => void): void {
  useLayoutEffect(() => { // before the next key arrives
    const press = (event: KeyboardEvent) => {
      const { target, key } = event;
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (target instanceof HTMLElement && target.closest("input:not([type=checkbox]), select, textarea")) return;
      if (!on) return;
      const focus = (selector: string) => document.querySelector<HTMLElement>(selector)?.focus();
      const rows = [...document.querySelectorAll<HTMLElement>(".rows .what a")];
      const at = rows.findIndex((row) => row === document.activeElement);
      if (key === "j") rows[Math.min(at + 1, rows.length - 1)]?.focus();
      else if (key === "k") rows[Math.max(at - 1, 0)]?.focus();
      else if (key === "/") focus("#search");
      else if (key === "f") focus(".filters .chip, .controls .chip");
      else if (key === "u") document.querySelector<HTMLElement>(".crumbs a")?.click();
      else if (key === "?") help();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [on]);
}

const Message = ({ title, text }: { title: string; text: string }) => (
  <main id="main" class="alone"><h1>{title}</h1><p>{text}</p></main>
);

async function start(root: HTMLElement): Promise<void> {
  const show = (title: string, text: string) => render(<Message title={title} text={text} />, root);
  if (passOn()) return show("Signed in", "You can close this window.");
  let config: Config;
  try {
    const response = await fetch("console/config");
    if (!response.ok) throw new Error();
    config = (await response.json()) as Config;
  } catch {
    return show("No connection", "The console's settings could not be read. Check your network, and load the page again.");
  }
  if (!config.client_id || !config.authorization_endpoint || !config.token_endpoint)
    return show("Nobody can sign in yet", "The stack's parameters do not name the console's client and addresses at the token issuer. docs/console.md lists these parameters.");
  const session = new Session(config);
  const arrived = await session.arrive();
  if (!location.hash) go(session.placeOfUnfinished() || HOME, true);
  if (!arrived) {
    await session.leave();
    if (!session.failure) return;
  }
  render(<App api={new Api(session, location.pathname.replace(/\/console\/?$/, ""))} session={session} />, root);
}

/** Before the page is left, the browser asks if something is not saved. */
addEventListener("beforeunload", (event) => {
  if (unsaved().length > 0) event.preventDefault();
});

/** A held Enter would press each button that gets the focus, and submit each form. So it counts once. */
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.repeat && !(event.target instanceof HTMLTextAreaElement)) event.preventDefault();
});

const root = document.getElementById("console");
if (root) void start(root);
