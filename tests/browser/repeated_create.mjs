// Saves a new incident with the console's own code again and again: `node repeated_create.mjs`, with statuses on standard input.
//
// Each save gets one of the statuses. With 504, the service may have got the create, and with 0 it answers. The output is
// the number of keys that the page sent.
import { load } from "./source.mjs";

const { ApiError, Draft } = await load("api", "draft");
let input = "";
for await (const part of process.stdin) input += part;
const keys = new Set();
const statuses = JSON.parse(input);
const api = {
  async create(fields, key, attempt) {
    keys.add(key);
    const status = statuses.shift();
    attempt.unsure = status === 504;
    if (status) throw new ApiError(status === 504 ? "broken" : "forbidden", "", "", 0, status);
    return { id: "inc_x", version: 1, ...fields };
  },
};
const draft = new Draft(null);
draft.type("title", "Laptop stolen");
while (statuses.length > 0) await draft.save(api);
process.stdout.write(JSON.stringify(keys.size));
