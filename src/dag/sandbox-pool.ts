/** Several sandboxes behind one queue: a file that hangs does not hold up the others. */
import { openSandbox, type Sandbox, type SandboxOptions } from "./sandbox.ts";

/** A sandbox of up to `size` children (2 unless set), each started when there is work for it. */
export function openSandboxPool(options: SandboxOptions & { readonly size?: number } = {}): Sandbox {
  const size = options.size ?? 2;
  const all = Array.from({ length: size }, () => openSandbox(options));
  const idle = all.toReversed();
  const waiting: ((sandbox: Sandbox) => void)[] = [];

  const take = (): Promise<Sandbox> => {
    // The last one put back is the warm one.
    const sandbox = idle.pop();
    return sandbox === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(sandbox);
  };
  const giveBack = (sandbox: Sandbox): void => {
    const next = waiting.shift();
    if (next === undefined) idle.push(sandbox);
    else next(sandbox);
  };
  return {
    evaluate: async (file, code) => {
      const sandbox = await take();
      return sandbox.evaluate(file, code).finally(() => giveBack(sandbox));
    },
    close: () => {
      for (const sandbox of all) sandbox.close();
    },
  };
}
