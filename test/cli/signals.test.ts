import { spawn } from "node:child_process";
import test from "ava";

const SIGNALS = new URL("../../src/cli/signals.ts", import.meta.url).href;

test("a parent that went before anybody could hear of it is heard of", async (t) => {
  const child = spawn(
    process.execPath,
    [
      ...["--input-type=module-typescript", "-e"],
      `
      import { once } from "node:events";
      import { untilSignal } from "${SIGNALS}";
      await once(process, "disconnect");
      process.stdout.write(await untilSignal());
      process.exit();
    `,
    ],
    { stdio: ["ignore", "pipe", "inherit", "ipc"] },
  );
  t.teardown(() => child.kill("SIGKILL"));
  child.disconnect();
  const parts: string[] = [];
  for await (const part of child.stdout ?? []) parts.push(String(part));
  t.is(parts.join(""), "parent");
});
