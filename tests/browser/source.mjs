// Compiles the console's TypeScript, and imports it into Node.js.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(fileURLToPath(import.meta.url), "../../../infra/console");
const { build } = await import(join(root, "node_modules/esbuild/lib/main.js"));

/** Return the exports of modules of infra/console/src together. */
export async function load(...names) {
  const built = await build({
    stdin: { contents: names.map((name) => `export * from "./${name}";`).join(""), resolveDir: join(root, "src"), loader: "ts" },
    write: false, bundle: true, format: "esm", target: "es2022",
  });
  return import(`data:text/javascript;base64,${Buffer.from(built.outputFiles[0].contents).toString("base64")}`);
}
