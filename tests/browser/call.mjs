// Calls functions of the console: `node call.mjs MODULE...` reads [[function, argument...]...] and prints the results.
//
// In an argument, {call: [function, argument...]} stands for the result of another call, which need not be JSON.
import { load } from "./source.mjs";

const functions = await load(...process.argv.slice(2));
let input = "";
for await (const part of process.stdin) input += part;
const called = ([name, ...given]) => functions[name](...given.map(made));
function made(given) {
  if (given?.call) return called(given.call);
  if (Array.isArray(given)) return given.map(made);
  return given && typeof given === "object" ? Object.fromEntries(Object.entries(given).map(([name, one]) => [name, made(one)])) : given;
}
const results = await Promise.all(JSON.parse(input).map(async (work) => {
  try {
    return (await called(work)) ?? null;
  } catch (error) {
    if (!functions.Wrong || !(error instanceof functions.Wrong)) throw error;
    return { wrong: error.message };
  }
}));
process.stdout.write(JSON.stringify(results));
