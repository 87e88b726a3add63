// The board of deadlines: every open report, by how soon it is due.
import { useEffect } from "preact/hooks";
import type { Api, BoardEntry, OpenStage } from "./api";
import { REGIMES } from "./bounds";
import { Save } from "./csv";
import { regimeName, urgency } from "./deadlines";
import { useLoad, useNow } from "./load";
import { CopyLink, Pending, say, Stale, Text, Time, useHeading } from "./parts";
import { boardAt, go, incidentAt } from "./place";
import { counted, words } from "./texts";

type Line = { entry: BoardEntry; stage: OpenStage };
const DAY = 86_400_000;
const AT_ONCE = 6;

const PARTS: { title: string; has: (line: Line, now: number) => boolean }[] = [
  { title: "Overdue", has: ({ stage }, now) => !!stage.due_at && Date.parse(stage.due_at) < now },
  { title: "Next 24 hours", has: ({ stage }, now) => dateOf(stage) !== null && Date.parse(dateOf(stage) ?? "") < now + DAY },
  { title: "Later", has: ({ stage }) => dateOf(stage) !== null },
  { title: "A fact is missing", has: ({ stage }) => !!(stage.anchor_missing ?? stage.setting_missing) },
  { title: "Without a date", has: () => true },
];

/** Return the due date, or the projection of a stage that waits only for another report. */
const dateOf = (stage: OpenStage): string | null => stage.due_at ?? (stage.anchor_missing ? null : stage.projected_at);

export function Board({ api, query }: { api: Api; query: URLSearchParams }) {
  const asked = new URLSearchParams(query);
  asked.set("limit", "25");
  const loaded = useLoad(asked.toString(), api.session, (signal) => api.board(asked, signal));
  const heading = useHeading("Deadlines");
  const now = useNow();
  const page = loaded.value;
  const regime = query.get("regime") ?? "";
  useEffect(() => heading.current?.focus(), []);
  const lines = (page?.items ?? []).flatMap((entry) => entry.stages.filter((stage) => !regime || stage.regime === regime).map((stage) => ({ entry, stage })));
  useEffect(() => {
    if (page) say(counted(lines.length, "open report"));
  }, [page]);
  const ids = (page?.items ?? []).map((entry) => entry.incident_id);
  const titles = useLoad(ids.join(), api.session, (signal) => readTitles(api, ids, signal)).value;
  const left = new Set(lines);
  const set = (change: (next: URLSearchParams) => void) => {
    const next = new URLSearchParams(query);
    next.delete("cursor");
    change(next);
    go(boardAt(next));
  };
  return (
    <main id="main">
      <header class="title">
        <h1 ref={heading} tabIndex={-1}>Deadlines</h1>
        <div class="controls">
          <label><span class="hidden">Regime</span>
            <select value={regime} onChange={({ currentTarget }) => set((next) => currentTarget.value ? next.set("regime", currentTarget.value) : next.delete("regime"))}>
              <option value="">All regimes</option>
              {regime && !(regime in REGIMES) && <option value={regime}>{regime}</option>}
              {Object.entries(REGIMES).map(([id, name]) => <option key={id} value={id}>{name}</option>)}
            </select>
          </label>
          <CopyLink />
          {page && <Save name="deadlines" rows={() => [
            ["number", "status", "regime", "regime id", "report", "state", "due", "projected", "missing"],
            ...lines.map(({ entry, stage }) => [entry.incident_number, entry.status, regimeName(stage.regime), stage.regime, stage.stage, stage.state, stage.due_at, stage.projected_at,
              stage.anchor_missing ?? stage.setting_missing]),
          ]} />}
        </div>
      </header>
      <Stale of={loaded} />
      {!page ? <Pending of={loaded} what="the deadlines"><button type="button" onClick={() => go("#/deadlines")}>Show all deadlines</button></Pending> : (
        <>
          {lines.length === 0 && <div class="state"><h2>{page.next_cursor || query.has("cursor") ? "No report on this page" : regime ? "No report of this regime is open" : "No report is open"}</h2>
            <p>A report is open if an incident names a regime in “Reportable to”, and nobody recorded the submission.</p></div>}
          {PARTS.map(({ title, has }) => {
            const these = [...left].filter((line) => has(line, now));
            these.forEach((line) => left.delete(line));
            return these.length > 0 && <Part key={title} title={title} titles={titles} lines={these} now={now} />;
          })}
          <nav class="paging" aria-label="Pages">
            {query.has("cursor") && <button type="button" onClick={() => set(() => {})}>First page</button>}
            {page.next_cursor && <button type="button" onClick={() => set((next) => next.set("cursor", page.next_cursor ?? ""))}>Next</button>}
            <span class="muted">A change appears here after about a minute.</span>
          </nav>
        </>
      )}
    </main>
  );
}

function Part({ title, titles, lines, now }: { title: string; titles: Map<string, string> | null; lines: Line[]; now: number }) {
  return (
    <section class="card">
      <h2>{title} <span class="muted">· {counted(lines.length, "report")}</span></h2>
      <ul class="board">
        {lines.map(({ entry, stage }) => {
          const [how, kind] = urgency(stage, now);
          const at = stage.due_at ?? stage.projected_at;
          return (
            <li key={`${entry.incident_id} ${stage.regime} ${stage.stage}`}>
              <span class={`due ${kind}`}>{how}</span>
              <span class="what">
                <a href={incidentAt(entry.incident_id)}><Text of={titles?.get(entry.incident_id) ?? entry.incident_number} /></a>
                <span class="facts"><code><Text of={entry.incident_number} /></code>{"\u00a0· "}{entry.status}</span>
              </span>
              <span><strong><Text of={regimeName(stage.regime)} /></strong> {words(stage.stage)}
                {at && <span class="facts">{stage.due_at ? "" : "projected "}<Time at={at} /></span>}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** Return the titles of incidents by id. The board has none, so this reads the incidents, a few at a time. */
async function readTitles(api: Api, ids: string[], signal: AbortSignal): Promise<Map<string, string>> {
  const titles = new Map<string, string>();
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    const read = await Promise.all(ids.slice(start, start + AT_ONCE).map((id) => api.incident(id, signal).catch(() => null)));
    for (const one of read) if (one) titles.set(one.id, one.title);
  }
  return titles;
}
