import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "ava";
import { TRIGGER_RULES } from "../../src/dag/spec.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(`${root}/docs/dags.md`, "utf8");
const services = readFileSync(`${root}/docs/services.md`, "utf8");
const runs = readFileSync(`${root}/docs/runs.md`, "utf8");
const operating = readFileSync(`${root}/docs/operating.md`, "utf8");
const readme = readFileSync(`${root}/README.md`, "utf8");

test("every block of the authoring pages and the README is part of an example, which is type-checked and loaded", (t) => {
  const examples = readdirSync(`${root}/examples`).map((name) => readFileSync(`${root}/examples/${name}`, "utf8"));
  const blocks = [...`${page}\n${runs}\n${operating}\n${services}\n${readme}`.matchAll(/```ts\n(.*?)```/gs)].map(
    ([, block]) => block ?? "",
  );
  t.true(blocks.length >= 4);
  for (const block of blocks)
    t.true(
      examples.some((example) => example.includes(block)),
      block,
    );
});

test("the page describes every trigger rule", (t) => {
  for (const rule of TRIGGER_RULES) t.true(page.includes(`| \`${rule}\` |`), rule);
});
