#!/usr/bin/env node
// The command `qflow` of the checkout (`npx qflow …`), on the project's own Node.
import { launch } from "./launcher.mjs";

await launch("src/cli.ts", process.argv.slice(2));
