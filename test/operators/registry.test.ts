import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { z } from "zod";
import type { QflowError } from "../../src/errors.ts";
import { loadCheck } from "../../src/operators/checks.ts";
import * as operators from "../../src/operators/index.ts";
import { loadProgram } from "../../src/operators/programs.ts";
import { loadOperator } from "../../src/operators/registry.ts";
import type { OperatorContext } from "../../src/operators/run.ts";

const FOLDER = join(import.meta.dirname, "../../src/operators");

test("every run module is registered and every declaration is exported and documented", async (t) => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".run.ts"));
  const docs = readdirSync(join(import.meta.dirname, "../../docs/operators"));
  const exported = new Map<string, unknown>(Object.entries(operators));
  t.true(files.length > 0);
  const services = readFileSync(join(import.meta.dirname, "../../docs/services.md"), "utf8");
  for (const file of files) {
    const name = file.replace(".run.ts", "");
    const declared = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    t.is(typeof exported.get(declared), "function", declared);
    // What a service runs is told with services.
    const isProgram = services.includes(`| \`${declared}(`);
    t.is(typeof (await (isProgram ? loadProgram : loadOperator)(name.replaceAll("-", "_"))), "function");
    t.true(isProgram || docs.includes(`${name}.md`), `docs/operators/${name}.md`);
  }
});

test("every check module is registered and every sensor is exported and documented", async (t) => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".check.ts"));
  const docs = readdirSync(join(import.meta.dirname, "../../docs/operators"));
  const index = readFileSync(join(import.meta.dirname, "../../docs/operators/index.md"), "utf8");
  const exported = new Map<string, unknown>(Object.entries(operators));
  t.true(files.length > 0);
  for (const file of files) {
    const name = file.replace(".check.ts", "");
    t.is(typeof (await loadCheck(name.replaceAll("-", "_"))).look, "function");
    const declared = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    t.is(typeof exported.get(declared), "function", declared);
    t.true(docs.includes(`${name}.md`), `docs/operators/${name}.md`);
  }
  for (const page of docs) if (page !== "index.md") t.true(index.includes(`(${page})`), `index.md names ${page}`);
});

test("every key of an operator's or a sensor's config is told on its page", async (t) => {
  const docs = join(import.meta.dirname, "../../docs/operators");
  const pages = readdirSync(docs).filter((page) => page !== "index.md");
  t.true(pages.length > 0);
  for (const page of pages) {
    const text = readFileSync(join(docs, page), "utf8");
    const untold = (await configKeys(page.replace(".md", ""))).filter((key) => !text.includes(`\`${key}`));
    t.deepEqual(untold, [], page);
  }
});

async function configKeys(name: string): Promise<string[]> {
  const declared = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  const module = (await import(join(FOLDER, `${name}.ts`))) as Record<string, z.ZodType>;
  const schema = module[`${declared}Schema`];
  if (!schema) throw new Error(`${name}.ts exports no ${declared}Schema`);
  return Object.keys(z.toJSONSchema(schema, { unrepresentable: "any", io: "input" }).properties ?? {});
}

test("an unknown operator and a config that does not fit are refused by name", async (t) => {
  const unknown = await t.throwsAsync(loadOperator("nope"));
  t.is((unknown as QflowError).code, "OPERATOR_UNKNOWN");
  const operator = await loadOperator("ftp_ingest");
  const error = t.throws(() => void operator({ connection: 5 }, {} as OperatorContext), {
    message: /config connection/,
  });
  t.is((error as QflowError).code, "OPERATOR_CONFIG");
});
