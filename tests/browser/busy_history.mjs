// Reads the history of an incident with the console's own code, while somebody changes the incident.
//
// `node busy_history.mjs`, with a number on standard input: before so many reads of the incident, somebody changes it. The
// output is the version that the console would check, or the message.
import { load } from "./source.mjs";

const { Api } = await load("api");
let input = "";
for await (const part of process.stdin) input += part;
let left = JSON.parse(input);
let version = 1;
globalThis.fetch = async (url) => {
  const isIncident = !String(url).includes("/changes");
  if (isIncident && left > 0) [left, version] = [left - 1, version + 1];
  return new Response(JSON.stringify(isIncident ? { id: "x", version } : { items: [{ version }], next_cursor: null }), {
    headers: { "content-type": "application/json" },
  });
};
const session = { state: "signed in", person: { subject: "ada", writes: true }, renewals: 0, async token() { return "t"; }, listen() { return () => {}; } };
try {
  const { incident, pages } = await new Api(session, "http://127.0.0.1/x", 15).history("inc_x", new AbortController().signal);
  process.stdout.write(JSON.stringify([JSON.parse(incident).version, JSON.parse(pages[0]).items[0].version]));
} catch (error) {
  process.stdout.write(JSON.stringify(error.message));
}
