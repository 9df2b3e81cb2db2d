/** Under which user PostgreSQL runs: it refuses root, and needs an account with an entry in /etc/passwd. */
import { spawn } from "node:child_process";
import { chown, lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { QflowError } from "../errors.ts";

/** How to start a program as somebody who is not root. */
export interface RunAs {
  /** Put before the command; empty when nothing is needed. */
  readonly prefix: readonly string[];
  /** Numeric account to become through setuid, and owner of the files; absent = our own. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

const PREFERRED_ACCOUNTS = ["postgres", "nobody"];

/**
 * Chooses the account. `paths` must be enterable or readable by it: the binaries and the folder that holds the data.
 * As root: setuid to an account of the machine when it reaches them, else a user namespace in which we appear as that account
 * but keep our own reach. Throws PREREQUISITE_MISSING naming the folder when neither works.
 */
export async function chooseAccount(paths: readonly string[]): Promise<RunAs> {
  const accounts = await readAccounts();
  const uid = process.getuid?.() ?? -1;
  if (uid !== 0 && [...accounts.values()].some((account) => account.uid === uid)) return { prefix: [] };
  const name = PREFERRED_ACCOUNTS.find((candidate) => (accounts.get(candidate)?.uid ?? 0) !== 0);
  const account = name === undefined ? undefined : accounts.get(name);
  if (account === undefined) {
    throw new QflowError(
      "PREREQUISITE_MISSING",
      "PostgreSQL needs an account that is not root, and this machine has none",
      {
        remedy: "Add an account named postgres or nobody to /etc/passwd, or run qflow as an ordinary user.",
      },
    );
  }
  if (uid === 0 && (await reaches(account, paths))) return { prefix: [], user: account };
  const prefix = ["unshare", "--user", `--map-user=${account.uid}`, `--map-group=${account.gid}`, "--"];
  if (await succeeds([...prefix, "true"])) return { prefix };
  throw new QflowError(
    "PREREQUISITE_MISSING",
    `PostgreSQL cannot run as root, account ${name} cannot reach ${paths.join(" and ")}, and user namespaces are not allowed here`,
    {
      remedy: `Choose a QFLOW_HOME (and a checkout) that account ${name} can enter, or run qflow as an ordinary user.`,
    },
  );
}

async function readAccounts(): Promise<Map<string, Account>> {
  const text = await readFile("/etc/passwd", "utf8").catch(() => "");
  const accounts = new Map<string, Account>();
  for (const line of text.split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name && uid && gid) accounts.set(name, { uid: Number(uid), gid: Number(gid) });
  }
  return accounts;
}

async function reaches(account: Account, paths: readonly string[]): Promise<boolean> {
  for (const path of paths) {
    if (!(await succeeds(["test", "-r", path, "-a", "-x", path], account))) return false;
  }
  return true;
}

function succeeds(command: readonly string[], user?: Account): Promise<boolean> {
  return new Promise((settle) => {
    const [program = "", ...args] = command;
    const child = spawn(program, args, { stdio: "ignore", cwd: "/", ...(user ?? {}) });
    child.once("error", () => settle(false));
    child.once("exit", (code) => settle(code === 0));
  });
}

/** Gives a folder and everything in it to the account, when it belongs to somebody else. */
export async function giveTo(folder: string, owner: Account): Promise<void> {
  const top = await lstat(folder);
  if (top.uid === owner.uid && top.gid === owner.gid) return;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    // A link (a tablespace) is left as it is: what it points to is not ours to give away.
    if (!entry.isSymbolicLink()) await chown(path, owner.uid, owner.gid);
  }
  // The top comes last, so that an interrupted change of owner is done again.
  await chown(folder, owner.uid, owner.gid);
}
