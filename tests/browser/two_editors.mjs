// Two people edit one incident with the console's own code: `node two_editors.mjs`, with the work on standard input.
//
// Each person saves their edits one after the other, and waits a random time before each. If the page would ask whose
// value stays, the person decides at random. The output has, for each person, what they wanted and how it ended.
import { load } from "./source.mjs";

const { Api, Draft } = await load("api", "draft");
let input = "";
for await (const part of process.stdin) input += part;

/** A session whose token is always valid, and is refused only when the server says so. */
const sessionOf = ({ subject, token }) => ({
  state: "signed in", person: { subject, writes: true }, renewals: 0,
  async token() { return token; },
  async renew() { this.renewals += 1; },
  end() { this.state = "ended"; setTimeout(() => { this.state = "signed in"; this.listeners.forEach((one) => one()); }, 5); },
  listeners: new Set(),
  listen(one) { this.listeners.add(one); return () => this.listeners.delete(one); },
});

async function edit({ base, id, person }) {
  const session = sessionOf(person);
  const api = new Api(session, base, 15);
  const ended = [];
  for (const { pause, typed, later, decisions, stops } of person.edits) {
    const seen = await api.current(id, { signal: new AbortController().signal, waits() {}, unsure: false });
    await new Promise((done) => setTimeout(done, pause));
    const draft = new Draft(seen);
    for (const [path, value] of Object.entries(typed)) draft.type(path, value);
    const asked = [];
    let saved = null;
    for (let tries = 0; tries < 20 && !saved; tries += 1) {
      const saving = draft.save(api);
      const stop = stops[tries] === undefined ? null : setTimeout(() => draft.stop(), stops[tries]);
      if (tries === 0) for (const [path, value] of Object.entries(later)) draft.type(path, value);
      saved = await saving;
      clearTimeout(stop);
      if (saved && draft.dirty) saved = null; // what was typed while the draft was being sent
      for (const { path, base, mine, theirs } of draft.open) {
        const whose = decisions[asked.length % decisions.length];
        asked.push({ path, base, mine, theirs, whose });
        draft.decide(path, whose);
      }
    }
    ended.push({ saved: saved !== null, asked, left: draft.typed, problem: draft.problem?.message ?? null });
  }
  return ended;
}

const results = await Promise.all(JSON.parse(input).map(async ({ base, id, people }) =>
  Promise.all(people.map((person) => edit({ base, id, person })))));
process.stdout.write(JSON.stringify(results));
