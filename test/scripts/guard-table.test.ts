import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { GUARDS } from "../../scripts/guard-table.ts";

const ROOT = join(import.meta.dirname, "../..");
/** A guard's text stands on the line of its mark or in one of the statements below, at most so many lines away. */
const REACH = 16;

function sources(): string[] {
  const all = ["src", "migrations"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  );
  return all.filter((name) => /\.(ts|sql)$/.test(name));
}

function marksIn(file: string): { name: string; below: string }[] {
  const lines = readFileSync(join(ROOT, file), "utf8").split("\n");
  return lines.flatMap((line, i) => {
    const mark = /(?:--|\/\/) guard: ([\w, -]+)$/.exec(line);
    const below = lines.slice(i, i + REACH).join("\n");
    return (mark?.[1]?.split(", ") ?? []).map((name) => ({ name, below }));
  });
}

test("every guard that the code names is in the table with what takes it away, and the other way round", (t) => {
  const marks = sources().flatMap((file) => marksIn(file).map((mark) => ({ ...mark, file })));
  t.deepEqual(marks.map(({ name }) => name).sort(), GUARDS.map(({ name }) => name).sort());
  for (const { name, file, below } of marks) {
    const guard = GUARDS.find((one) => one.name === name);
    t.is(guard?.file, file, name);
    t.true(guard !== undefined && below.includes(guard.text), `${name}: its text is not at its mark`);
    t.true(guard !== undefined && guard.tests.length > 0, name);
  }
});
