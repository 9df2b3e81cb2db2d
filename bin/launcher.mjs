/**
 * Runs a script of the checkout on the project's own Node. This file runs on whatever Node the machine has (18 or newer),
 * possibly before anything is installed: it depends on nothing.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MINIMUM_NODE = 18;

/**
 * Checks the machine, installs the npm packages when they are missing or not those of package-lock.json, runs `script` with
 * `args` and ends as it ended. Messages go to standard error: standard output belongs to the script.
 */
export async function launch(script, args) {
  checkMachine();
  if (!packagesAreInstalled()) await installPackages();
  const cache = process.env.QFLOW_CACHE ?? join(homedir(), ".cache/qflow");
  const env = { NODE_COMPILE_CACHE: join(cache, "compiled"), ...process.env };
  const child = spawn(join(ROOT, "node_modules/.bin/node"), [join(ROOT, script), ...args], { stdio: "inherit", env });
  passSignals(child);
  process.exitCode = await exitCode(child);
}

function fail(code, message, remedy) {
  process.stderr.write(`${code}: ${message}\n  → ${remedy}\n`);
  process.exit(1);
}

function checkMachine() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < MINIMUM_NODE) {
    fail(
      "PREREQUISITE_MISSING",
      `Node ${process.versions.node} is too old to set qflow up`,
      `Install Node ${MINIMUM_NODE} or newer.`,
    );
  }
  if (process.platform !== "linux" || process.arch !== "x64") {
    const here = `${process.platform} ${process.arch}`;
    fail(
      "PREREQUISITE_MISSING",
      `qflow runs on Linux x64, and this is ${here}`,
      "Use Linux on x64: a virtual machine or WSL 2 will do.",
    );
  }
}

/** Compares content, not times: what npm wrote down as installed must be what package-lock.json asks for. */
function packagesAreInstalled() {
  if (!existsSync(join(ROOT, "node_modules/.bin/node"))) return false;
  const wanted = readPackages("package-lock.json");
  const present = readPackages("node_modules/.package-lock.json");
  if (wanted === null || present === null) return false;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    // Optional packages for other systems are rightly absent.
    return path === "" || (optional && !present[path]) || present[path]?.version === version;
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), "utf8")).packages ?? null;
  } catch {
    return null;
  }
}

async function installPackages() {
  const release = await lock();
  try {
    // Whoever held the lock before has probably done it.
    if (packagesAreInstalled()) return;
    const startedAt = Date.now();
    process.stderr.write("Installing the npm packages (npm ci) …\n");
    const flags = ["ci", "--include=dev", "--include=optional", "--engine-strict=false", "--no-audit", "--no-fund"];
    const npm = process.env.npm_execpath;
    const [command, first] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
    const child = spawn(command, [...first, ...flags, "--loglevel=error"], { cwd: ROOT, stdio: ["ignore", 2, 2] });
    passSignals(child);
    const code = await exitCode(child);
    if (code !== 0 || !packagesAreInstalled()) {
      fail(
        "DOWNLOAD_FAILED",
        `npm ci ended with exit code ${code}`,
        "Read what npm says above; mostly the network or the disk is at fault.",
      );
    }
    process.stderr.write(`Installing the npm packages: done in ${Math.round((Date.now() - startedAt) / 1000)} s\n`);
  } finally {
    release();
  }
}

/** One installation of this checkout at a time. The lock lies outside node_modules, which npm ci removes. */
async function lock() {
  const name = createHash("sha256").update(ROOT).digest("hex").slice(0, 16);
  const file = join(tmpdir(), `qflow-npm-${name}.lock`);
  const folder = mkdtempSync(join(tmpdir(), "qflow-npm-"));
  const draft = join(folder, "owner");
  writeFileSync(draft, String(process.pid));
  try {
    for (let told = false; ; ) {
      try {
        // A link appears with its content and refuses to replace one that is there.
        linkSync(draft, file);
        return () => rmSync(file, { force: true });
      } catch (error) {
        if (error.code !== "EEXIST") throw error;
      }
      if (!ownerLives(file)) {
        rmSync(file, { force: true });
        continue;
      }
      if (!told) process.stderr.write("Waiting for another installation of the npm packages …\n");
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function ownerLives(file) {
  try {
    process.kill(Number(readFileSync(file, "utf8")), 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/**
 * A Ctrl-C on a terminal reaches the whole process group by itself; passing it on would make two of one. Without a terminal,
 * and for the signals that are sent to one process, we are the only one who hears it.
 */
function passSignals(child) {
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  process.on("SIGINT", () => {
    if (!onTerminal) child.kill("SIGINT");
  });
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
}

function exitCode(child) {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      process.stderr.write(`${error.message}\n`);
      resolve(1);
    });
    child.once("exit", (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}
