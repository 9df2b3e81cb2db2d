import { stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { openHome, publishPorts, readHome, settlePorts } from "../../src/engines/home.ts";
import { temporaryFolder } from "./support/processes.ts";

async function occupy(t: ExecutionContext, port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
  t.teardown(() => server.close());
}

test("ports, passwords and the id are chosen once", async (t) => {
  const home = await temporaryFolder(t);
  t.is(await readHome(home), null);
  const first = await openHome(home);
  t.deepEqual(await openHome(home), first);
  t.deepEqual(await readHome(home), first);
  t.is(new Set(Object.values(first.ports).map(({ port }) => port)).size, 3);
  t.is(new Set(Object.values(first.passwords)).size, 3);
});

test("nobody else can read the passwords", async (t) => {
  const home = await temporaryFolder(t);
  await openHome(home);
  t.is((await stat(join(home, "engines.json"))).mode & 0o777, 0o600);
});

test("a taken port is chosen anew until it has been published, then kept", async (t) => {
  const home = await temporaryFolder(t);
  const first = await openHome(home);
  await occupy(t, first.ports.hive.port);
  const second = await settlePorts(home, first, "hive");
  t.not(second.ports.hive.port, first.ports.hive.port);
  const published = await publishPorts(home, second, "hive");
  await occupy(t, published.ports.hive.port);
  t.deepEqual((await settlePorts(home, published, "hive")).ports, published.ports);
  t.deepEqual(await readHome(home), published);
});

test("a damaged file is named", async (t) => {
  const home = await temporaryFolder(t);
  await openHome(home);
  await writeFile(join(home, "engines.json"), "{");
  const error = await t.throwsAsync(readHome(home), { code: "CONFIG_INVALID" });
  t.regex(error.message, /engines\.json/);
});
