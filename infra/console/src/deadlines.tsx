// The deadlines of an incident: when each report is due and why, and what people know about it.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Step } from "./act";
import type { Api, Incident, OpenStage, RegimeDeadlines, StageDeadline } from "./api";
import { REGIMES } from "./bounds";
import { kept } from "./draft";
import { now as present, typedMoment } from "./fields";
import { useLoad, useNow } from "./load";
import { pathOf } from "./merge";
import { Copyable, Pending, Stale, Text, Time } from "./parts";
import { counted, duration, minutesBetween, words } from "./texts";

/** Return the usual name of a regime, such as "GDPR" for "eu-gdpr". A tenant's own regime has only its id. */
export const regimeName = (id: string): string => (Object.hasOwn(REGIMES, id) ? REGIMES[id as keyof typeof REGIMES] : id);

/** How soon a report is due, in words, and as a class for its color. */
export function urgency(of: Pick<OpenStage, "due_at" | "projected_at" | "anchor_missing" | "setting_missing"> & { state: string }, now: number): [string, string] {
  const { state, due_at, projected_at } = of;
  if (state === "submitted") return ["submitted", "done"];
  if (state === "submitted_late") return ["submitted late", "soon"];
  if (due_at) {
    const minutes = minutesBetween(new Date(now).toISOString(), due_at);
    return state === "overdue" || minutes < 0 ? [`overdue for ${duration(-minutes)}`, "overdue"] : [`due in ${duration(minutes)}`, minutes <= 1440 ? "soon" : "later"];
  }
  const missing = of.anchor_missing ? `${words(of.anchor_missing)} not recorded` : of.setting_missing ? `${of.setting_missing === "zone" ? "time zone" : of.setting_missing} not set` : "";
  if (projected_at) {
    const minutes = minutesBetween(new Date(now).toISOString(), projected_at);
    const past = minutes < 0 && `would be overdue for ${duration(-minutes)}`;
    return [[missing, past].filter(Boolean).join(", ") || `projected in ${duration(minutes)}`, minutes <= 1440 ? "soon" : "later"];
  }
  return [missing || { waiting_previous: "waits for the report before it", no_fixed_term: "no fixed term" }[state] || words(state), "later"];
}

type Writes = { api: Api; of: Incident; writes: boolean; done: () => void };

export function DeadlinesCard({ api, of: one, writes, done }: Writes) {
  const loaded = useLoad(`${one.id} deadlines`, api.session, (signal) => api.deadlines(one.id, signal));
  const version = useRef(one.version);
  useEffect(() => {
    if (version.current !== one.version) loaded.again();
    version.current = one.version;
  }, [one.version]);
  return (
    <section class="card deadlines" aria-busy={loaded.loading}>
      <h2>Deadlines</h2>
      <Stale of={loaded} />
      {!loaded.value ? <Pending of={loaded} what="the deadlines" /> : (
        <>
          {loaded.value.regimes.map((regime) => <Regime key={`${regime.named} ${regime.regime}`} regime={regime} api={api} of={one} writes={writes} done={done} />)}
          <p class="small muted">{loaded.value.notice} Rules of {loaded.value.rules_version}.</p>
        </>
      )}
    </section>
  );
}

/** The overdue reports of an incident, for somebody who closes it. */
export function Overdue({ api, of: one }: { api: Api; of: Incident }) {
  const loaded = useLoad(`${one.id} deadlines`, api.session, (signal) => api.deadlines(one.id, signal));
  const late = (loaded.value?.regimes ?? []).flatMap(({ regime, named, stages }) => stages.filter(({ state }) => state === "overdue")
    .map(({ stage }) => `${named ?? regimeName(regime ?? "")}: ${words(stage)}`));
  if (loaded.error) return <p class="fault">The deadlines could not be read. So a report may be overdue.</p>;
  return late.length === 0 ? null : <p class="fault">Overdue: <Text of={late.join(", ")} />. {late.length === 1 ? "The report stays" : "The reports stay"} open after the closing.</p>;
}

/** A regime. Its conditional reports, and those without a date, are folded with the facts that only they need. */
function Regime({ regime, ...more }: Writes & { regime: RegimeDeadlines }) {
  const { regime: id, named, why, stages } = regime;
  const name = named ?? id ?? "";
  const main = anchorOf(stages[0]);
  const isFirst = (stage: StageDeadline): boolean =>
    !!stage.due_at || !!stage.submitted_at || (!stage.condition && (!!stage.projected_at || stage.anchor_missing === main));
  const [first, rest] = [stages.filter(isFirst), stages.filter((stage) => !isFirst(stage))];
  const facts = id === "eu-dora" ? ["member_state", "dora_exempt"] : id?.startsWith("eu-") ? ["member_state"] : [];
  const anchors = new Map<string, string | null>();
  const factsOf = (those: StageDeadline[]) => those.map((stage) => {
    const anchor = anchorOf(stage);
    if (!id || !anchor || anchors.has(anchor)) return null;
    anchors.set(anchor, stage.anchor_at);
    return (
      <Fact key={anchor} {...more} label={words(anchor)} shown={stage.anchor_at && <Time at={stage.anchor_at} />} title={`${name}: ${words(anchor)}`}
        paths={[[pathOf("regulatory_reports", id, "anchors", anchor), `Time: ${words(anchor)}`]]} />
    );
  });
  const list = (those: StageDeadline[]) => those.map((stage) => <Stage key={stage.stage} stage={stage} id={id ?? ""} named={name} {...more} />);
  return (
    <section class="regime">
      <h3><Text of={name} />{regime.state === "off" && <span class="muted"> · off</span>}
        {regime.state === "not_reportable" && <span class="muted"> · not in “Reportable to”</span>}</h3>
      {why && <p class="small"><Text of={why} /></p>}
      {id && stages.length > 0 && (
        <ul>
          {factsOf(first)}
          {facts.length > 0 && (
            <Fact {...more} label="Member State" shown={regime.member_state && <Text of={regime.member_state} />} title={`${name}: facts`}
              paths={facts.map((fact) => [pathOf("regulatory_reports", id, "facts", fact), fact === "dora_exempt" ? "Exempt from weekend rules" : "Member State of the authority"])} />
          )}
        </ul>
      )}
      {list(first)}
      {rest.length > 0 && (
        <details class="stage" open={rest.some(({ stage }) => kept(`${more.of.id} ${name}: ${words(stage)}`)) || undefined}>
          <summary>{counted(rest.length, "further report")}, under a condition or without a date</summary>
          <ul>{factsOf(rest)}</ul>
          {list(rest)}
        </details>
      )}
    </section>
  );
}

/** Return the event from which a term counts, if a person records it. The time of another report is not recorded here. */
const anchorOf = (stage: StageDeadline | undefined): string | null =>
  stage?.anchor_missing ?? (stage?.anchor && /^[a-z_]+$/.test(stage.anchor) && stage.state !== "waiting_previous" ? stage.anchor : null);

/** What people know, with a button that records or corrects it. */
function Fact({ label, shown, title, paths, api, of: one, writes, done }: Writes & {
  label: string; shown: ComponentChildren; title: string; paths: [string, string][];
}) {
  const [open, setOpen] = useState(() => kept(`${one.id} ${title}`) !== null);
  return (
    <li>
      <span class="muted">{label}:</span> {shown || "not recorded"}{" "}
      {writes && <button type="button" aria-expanded={open} class={shown ? "quiet" : ""} aria-label={`${shown ? "Change" : "Record"} ${title}`} onClick={() => setOpen(true)}>{shown ? "Change" : "Record"}</button>}
      {open && <Step api={api} of={one} name={title} title={title} verb="Record" paths={paths} begin={() => {}} done={done} close={() => setOpen(false)} />}
    </li>
  );
}

function Stage({ stage, id, named, api, of: one, writes, done }: Writes & { stage: StageDeadline; id: string; named: string }) {
  const now = useNow();
  const [how, kind] = urgency(stage, now);
  const title = `${named}: ${words(stage.stage)}`;
  const [open, setOpen] = useState(() => kept(`${one.id} ${title}`) !== null);
  const path = (name: string): string => pathOf("regulatory_reports", id, "stages", stage.stage, name);
  return (
    <div class="stage">
      <p><strong>{words(stage.stage)}</strong> <span class={`due ${kind}`}>{how}</span></p>
      {stage.due_at && <p>Due <Time at={stage.due_at} />{stage.alternative && <> <span class="muted">· by another reading <Time at={stage.alternative} /></span></>}</p>}
      {!stage.due_at && stage.projected_at && <p class="muted">No due date yet. Projection: <Time at={stage.projected_at} /></p>}
      {!stage.due_at && stage.alternative && <p class="muted">By another reading: <Time at={stage.alternative} /></p>}
      {stage.unconfirmed_at && <p class="muted">Unconfirmed: <Time at={stage.unconfirmed_at} /></p>}
      {stage.submitted_at && <p>Submitted <Time at={stage.submitted_at} />{stage.reference && <>, reference <Copyable text={stage.reference} label="reference" /></>}</p>}
      {stage.submitted_at && stage.anchor_at && stage.submitted_at < stage.anchor_at && (
        <p class="fault">The submission is before the time from which the term counts, <Time at={stage.anchor_at} />. Check both times.</p>)}
      <p class="small muted">To {words(stage.recipient)}. {stage.condition && <>Condition: {words(stage.condition)}. </>}<Text of={stage.citation} /></p>
      <details>
        <summary>Why</summary>
        <p class="small"><Text of={stage.why} /></p>
        {stage.why_off && <p class="small"><Text of={stage.why_off} /></p>}
        {stage.note && <p class="small"><Text of={stage.note} /></p>}
        <p class="small muted">Read in {stage.source_kind === "unconfirmed" ? "no source yet" : `a ${stage.source_kind} source`}.</p>
      </details>
      {writes && <button type="button" aria-expanded={open} class={stage.submitted_at ? "quiet" : ""} aria-label={`${stage.submitted_at ? "Correct" : "Record"} the submission of ${title}`}
        onClick={() => setOpen(true)}>{stage.submitted_at ? "Correct the submission" : "Record the submission"}</button>}
      {open && <Step api={api} of={one} name={title} title={`Submission of ${title}`} verb="Record"
        paths={[[path("submitted_at"), "Submitted"], [path("reference"), "Reference of the recipient"]]}
        begin={(draft) => !stage.submitted_at && draft.type(path("submitted_at"), typedMoment(present()), false)} done={done} close={() => setOpen(false)} />}
    </div>
  );
}
