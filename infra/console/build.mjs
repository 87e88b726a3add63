// Builds the console into infra/functions/console/: one script, one stylesheet, the page and the licenses.
//
// The names of script and stylesheet contain the hash of their content, so that browsers may keep them for ever.
// `node build.mjs FOLDER` builds into another folder. CI uses it to compare a new build with the committed one.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = resolve(process.argv[2] ?? join(here, "../functions/console"));
const bundled = ["preact", "oauth4webapi"];

const built = await build({
  entryPoints: { console: join(here, "src/main.tsx") },
  outdir: target,
  write: false,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none", // licenses.txt has the complete licenses
  absWorkingDir: here,
});

mkdirSync(target, { recursive: true });
for (const name of readdirSync(target)) if (/^console-\w+\.(js|css)$/.test(name)) rmSync(join(target, name));
let page = readFileSync(join(here, "src/page.html"), "utf8");
for (const file of built.outputFiles) {
  const kind = file.path.endsWith(".css") ? "css" : "js";
  const name = `console-${createHash("sha256").update(file.contents).digest("hex").slice(0, 16)}.${kind}`;
  writeFileSync(join(target, name), file.contents);
  page = page.replaceAll(`console.${kind}`, name);
}
writeFileSync(join(target, "page.html"), page);
const licenses = bundled.map((name) => {
  const folder = join(here, "node_modules", name);
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
});
writeFileSync(join(target, "licenses.txt"), licenses.join("\n---\n\n"));
