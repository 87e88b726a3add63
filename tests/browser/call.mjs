// Calls functions of the console: `node call.mjs MODULE...` reads [[function, argument...]...] and prints the results.
import { load } from "./source.mjs";

const functions = await load(...process.argv.slice(2));
let input = "";
for await (const part of process.stdin) input += part;
const results = await Promise.all(JSON.parse(input).map(async ([name, ...given]) => {
  try {
    return (await functions[name](...given)) ?? null;
  } catch (error) {
    if (!functions.Wrong || !(error instanceof functions.Wrong)) throw error;
    return { wrong: error.message };
  }
}));
process.stdout.write(JSON.stringify(results));
