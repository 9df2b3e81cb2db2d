import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { commandsPage } from "./support/commands-page.ts";

const FILE = join(import.meta.dirname, "../../docs/commands.md");

test("docs/commands.md is what the commands say of themselves (QFLOW_UPDATE_DOCS=1 writes it)", async (t) => {
  const page = await commandsPage();
  if (process.env.QFLOW_UPDATE_DOCS) await writeFile(FILE, page);
  t.is(await readFile(FILE, "utf8"), page);
});
