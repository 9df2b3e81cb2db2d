/** qflow's command line: the only place where parts are wired together. */

import { loadGroups } from "./cli/groups.ts";
import { EXIT, printError, say } from "./cli/output.ts";
import { buildProgram, isHelp, isUsage } from "./cli/program.ts";
import { outliveReaders } from "./processes/closed-output.ts";

outliveReaders();
const program = buildProgram(await loadGroups(process.argv.slice(2)), process.env);
try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (isHelp(error)) process.exitCode = EXIT.done;
  else if (isUsage(error)) {
    say("  → Run the command with --help.");
    process.exitCode = EXIT.usage;
  } else process.exitCode = printError(error, program.opts().verbose ? "verbose" : "short");
}
// Listening for the end of a parent that holds an IPC channel would keep a finished command alive.
if (process.connected) process.disconnect();
