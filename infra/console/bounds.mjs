// Writes src/bounds.ts: the limits and words of the fields that people edit, from the OpenAPI document.
//
// `node bounds.mjs FILE` writes another file. CI uses it to compare a new file with the committed one.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const { schemas } = JSON.parse(readFileSync(join(here, "../functions/documentation/openapi.json"), "utf8")).components;
const { properties } = schemas.IncidentPatch;

/** Return the limits of a text, and of the items of a list. */
function boundsOf(schema) {
  const list = schema.anyOf?.find(({ type }) => type === "array");
  const { maxLength, pattern, maximum } = list?.items ?? schema;
  const clears = [schema.type, schema.anyOf?.map(({ type }) => type)].flat(2).includes("null");
  return Object.fromEntries(Object.entries({ maxLength, pattern, maximum, maxItems: list?.maxItems, clears })
    .filter(([, value]) => value !== undefined && value !== false));
}

const report = properties.regulatory_reports.additionalProperties.properties;
const bounds = Object.fromEntries(Object.entries(properties).filter(([, schema]) => !schema.$ref)
  .map(([name, schema]) => [name, boundsOf(schema)]).filter(([, bound]) => Object.keys(bound).length > 0));
bounds.reference = boundsOf(report.stages.additionalProperties.properties.reference);
const named = (name, value) => `export const ${name} = ${JSON.stringify(value, null, 1).replace(/\n */g, " ")} as const;\n`;
writeFileSync(process.argv[2] ?? join(here, "src/bounds.ts"), [
  "// Made by bounds.mjs from the OpenAPI document. Do not edit.\n",
  named("BOUNDS", bounds),
  named("SEVERITIES", schemas.Severity.enum),
  named("STATUSES", schemas.Status.enum),
  named("SOURCE_TYPES", schemas.SourceType.enum),
  named("NEXT", schemas.Status["x-allowed-transitions"]),
  named("CATEGORIES", [...properties.category.description.matchAll(/`(\w+)`/g)].map(([, word]) => word)),
  named("MEMBER_STATES", report.facts.properties.member_state.enum.filter(Boolean)),
  named("REGIMES", properties.reportable_to["x-regimes"]),
].join("\n"));
