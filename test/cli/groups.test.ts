import test from "ava";
import { commandGroups, loadGroups } from "../../src/cli/groups.ts";
import { buildProgram } from "../../src/cli/program.ts";

test("each group adds the commands by which it is found", async (t) => {
  for (const { commands, load } of commandGroups) {
    const program = buildProgram([await load()], {});
    t.deepEqual(
      program.commands.map((command) => command.name()),
      [...commands],
    );
  }
});

test("only the group of the command that is asked for is loaded; all of them for help", async (t) => {
  const countOf = async (...args: string[]) => (await loadGroups(args)).length;
  t.is(await countOf("--verbose", "runs", "list", "sql"), 1);
  t.is(await countOf("--help"), commandGroups.length);
  t.is(await countOf("unknown"), commandGroups.length);
  t.is(await countOf(), commandGroups.length);
});
