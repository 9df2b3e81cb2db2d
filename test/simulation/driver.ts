/** Decides, from a seed, what happens next: which actor's statement is sent, committed or answered, which timer fires, what fails. */
import type { Role } from "./actors.ts";
import type { Random } from "./random.ts";
import type { Session, Stage, Statement } from "./stage.ts";
import { titleOf } from "./stage.ts";
import type { Steps } from "./steps.ts";
import type { VirtualTime, VirtualTimer } from "./virtual-time.ts";

/** One thing that can happen now. */
type Action =
  | { readonly kind: "send" | "commit" | "answer"; readonly statement: Statement }
  | { readonly kind: "fire"; readonly timer: VirtualTimer };

/** What a driver works on. */
export interface DriverParts {
  readonly stage: Stage;
  readonly steps: Steps;
  readonly time: VirtualTime;
  readonly random: Random;
  wrong(problem: string): void;
}

/** The server ends a transaction that has been idle for so long, in virtual milliseconds. */
const IDLE_LIMIT_MS = 15_000;
const TRACE_LINES = 4_000;
/** Errors of the database that the engine expects: transient ones and its own refusal of a clear. */
const EXPECTED = /^(57014|57P01|55P03|QF002|ECONNRESET|08...)$/;

/** Steps actors until told to stop. */
export class Driver {
  readonly roles: Role[] = [];
  readonly trace: string[] = [];
  steps = 0;
  /** Chance of a fault in a step. */
  faults = 0;
  /** Nothing fails any more: what is left may go quickly. */
  isHealed = false;
  /** Milliseconds by which the database's clock is ahead of the time that has passed. */
  skew = 0;
  /** Whether that clock was ever moved. */
  isSkewed = false;
  /** Virtual time of the server's start. */
  startedAt = -3_600_000;
  readonly #parts: DriverParts;
  readonly #respawns: { at: number; role: Role }[] = [];

  constructor(parts: DriverParts) {
    this.#parts = parts;
  }

  /** Lets an actor begin. */
  async start(role: Role): Promise<void> {
    this.roles.push(role);
    const { time, wrong } = this.#parts;
    time.run(role, () => {
      role.play().catch((error: unknown) => {
        if (!role.dead) wrong(`${role.name} ended with ${error instanceof Error ? error.stack : String(error)}`);
      });
    });
    await settle();
  }

  /** Takes one step. Whether time had to move for want of anything to do. */
  async step(): Promise<boolean> {
    this.steps++;
    const { random, steps } = this.#parts;
    await this.#serverSide();
    const actions = this.#actions();
    if (actions.length === 0 || random.chance(0.02)) {
      await this.#passTime(actions.length > 0);
      return true;
    }
    // Commits are slow: what happens between a statement and its commit is what goes wrong.
    const sooner = actions.filter(({ kind }) => kind !== "commit");
    const action = random.pick(sooner.length > 0 && random.chance(0.85) ? sooner : actions);
    if (this.faults > 0 && random.chance(this.faults)) await this.#fault(action);
    else await this.#take(action);
    await settle();
    await steps.reclaim();
    return false;
  }

  /** Ends all that is wrong: nobody is paused, everybody dead is replaced. */
  async heal(): Promise<void> {
    this.faults = 0;
    this.isHealed = true;
    for (const role of this.roles) role.pausedUntil = 0;
    for (const { role } of this.#respawns.splice(0)) await this.start(role);
  }

  async #take(action: Action): Promise<void> {
    const { steps, random } = this.#parts;
    if (action.kind === "fire") {
      action.timer.fire();
      return;
    }
    const { statement } = action;
    if (action.kind === "send") {
      await steps.send(statement, () => random.chance(this.isHealed ? 0.1 : 0.6));
      this.#note(statement.phase === "sent" ? "waits for a lock" : "sent", statement);
      this.#check(statement);
    } else if (action.kind === "commit") {
      await steps.commit(statement);
      this.#note("committed", statement);
      await this.#lookAgain();
    } else {
      if (!statement.session) this.#note("answered", statement);
      await steps.answer(statement, () => false);
      // Rare: the end of a transaction frees locks only when the server has seen it.
      if (/^(commit|rollback)/i.test(statement.text)) await this.#lookAgain();
    }
  }

  async #fault(action: Action): Promise<void> {
    const { random, steps, time } = this.#parts;
    const actor = (action.kind === "fire" ? action.timer.owner : action.statement.actor) as Role;
    const choice = random.next();
    if (choice < 0.15) return this.#crash(actor);
    if (choice < 0.35) {
      actor.pausedUntil = time.now + 1_000 + random.int(random.chance(0.3) ? 60_000 : 5_000);
      this.#say(`${actor.name} is suspended until ${actor.pausedUntil} ms`);
      return;
    }
    if (choice < 0.38) return this.#restartServer();
    if (choice < 0.41) {
      this.skew += random.int(40_000) - 15_000;
      this.isSkewed = true;
      this.#say(`the database's clock is ${this.skew} ms off`);
      return;
    }
    if (action.kind === "fire") return this.#take(action);
    const { statement } = action;
    if (action.kind === "send") {
      this.#note("refused", statement);
      await steps.refuse(statement);
    } else if (action.kind === "commit") {
      this.#note("lost before its commit", statement);
      await steps.undo(statement);
    } else {
      this.#note("answer lost", statement);
      await steps.answer(statement, () => true);
    }
    await this.#lookAgain();
  }

  /** kill -9. What it had sent goes on at the server, or not. */
  async #crash(role: Role): Promise<void> {
    if (role.successor === null) return;
    const { time, random, stage, steps } = this.#parts;
    this.#say(`${role.name} is killed`);
    role.dead = true;
    time.forget(role);
    this.#respawns.push({ at: time.now + random.int(10_000), role: role.successor(nextLife(role.name)) });
    for (const statement of stage.statements.filter(({ actor }) => actor === role)) {
      if (statement.phase === "waiting" || statement.phase === "done") stage.remove(statement);
    }
    for (const session of stage.sessions) {
      if (session.actor === role && !this.#isBusy(session) && random.chance(0.5)) await steps.breakSession(session);
    }
    await this.#lookAgain();
  }

  async #restartServer(): Promise<void> {
    const { stage, steps, time } = this.#parts;
    this.#say("the server crashes and is back");
    this.startedAt = time.now;
    for (const statement of [...stage.statements]) {
      if (statement.phase === "open") await steps.undo(statement);
      if (statement.phase === "sent" && statement.backend) await stage.server.cancel(statement.backend);
    }
    await this.#lookAgain();
    for (const session of stage.sessions) await steps.breakSession(session);
    await this.#lookAgain();
  }

  /** What happens at the server whatever its clients do. */
  async #serverSide(): Promise<void> {
    const { stage, steps, time, random } = this.#parts;
    let freed = false;
    for (const statement of [...stage.statements]) {
      if (!statement.actor.dead) continue;
      if (statement.phase === "open") {
        if (random.chance(0.5)) await steps.commit(statement);
        else await steps.undo(statement);
        freed = true;
      }
      if (statement.phase === "done") stage.remove(statement);
    }
    for (const session of stage.sessions) {
      const isIdle = session.backend !== null && !this.#isBusy(session) && time.now - session.idleSince > IDLE_LIMIT_MS;
      if (!isIdle) continue;
      this.#say(`the server ends an idle transaction of ${session.actor.name}`);
      await steps.breakSession(session);
      freed = true;
    }
    if (freed) await this.#lookAgain();
    for (const respawn of this.#respawns.filter(({ at }) => at <= time.now)) {
      this.#respawns.splice(this.#respawns.indexOf(respawn), 1);
      this.#say(`${respawn.role.name} starts`);
      await this.start(respawn.role);
    }
  }

  #actions(): Action[] {
    const { stage, time } = this.#parts;
    const actions: Action[] = [];
    for (const statement of stage.statements) {
      // What was carried out commits, whether its client is awake or not.
      if (statement.phase === "open") actions.push({ kind: "commit", statement });
      else if (this.#isAwake(statement.actor as Role)) {
        if (statement.phase === "waiting") actions.push({ kind: "send", statement });
        if (statement.phase === "done") actions.push({ kind: "answer", statement });
      }
    }
    for (const timer of time.due()) if (this.#isAwake(timer.owner as Role)) actions.push({ kind: "fire", timer });
    return actions;
  }

  /** To the next timer, or by a bit where there is something to do. */
  async #passTime(mayWait: boolean): Promise<void> {
    const { stage, time, random } = this.#parts;
    if (mayWait) {
      time.now += random.int(2_000);
      return;
    }
    const moments = [
      ...time.pending().map(({ owner, at }) => Math.max(at, (owner as Role).pausedUntil)),
      ...this.roles.filter((role) => !role.dead && role.pausedUntil > time.now).map((role) => role.pausedUntil),
      ...this.#respawns.map(({ at }) => at),
      ...[...stage.sessions].filter(({ backend }) => backend).map(({ idleSince }) => idleSince + IDLE_LIMIT_MS + 1),
    ].filter((at) => at > time.now);
    if (moments.length > 0) time.now = Math.min(...moments);
    else if (stage.statements.some(({ phase }) => phase === "sent")) await this.#lookAgain();
    else this.#parts.wrong("nothing can ever happen again");
  }

  async #lookAgain(): Promise<void> {
    for (const statement of [...this.#parts.stage.statements]) {
      if (statement.phase !== "sent" || !(await this.#parts.steps.look(statement))) continue;
      this.#note("got its lock", statement);
      this.#check(statement);
    }
  }

  /** An error that the engine does not expect is one that it does not handle. */
  #check(statement: Statement): void {
    if (!statement.ending || !("error" in statement.ending)) return;
    const { code, message } = statement.ending.error;
    this.#say(`  ${code}: ${message}`);
    if (!EXPECTED.test(code ?? "") && message !== "Connection terminated unexpectedly")
      this.#parts.wrong(`${titleOf(statement)}: ${code}: ${message}`);
  }

  #isAwake(role: Role): boolean {
    return !role.dead && role.pausedUntil <= this.#parts.time.now;
  }

  #isBusy(session: Session): boolean {
    return this.#parts.stage.statements.some(
      (statement) => statement.session === session && statement.phase === "sent",
    );
  }

  #note(what: string, statement: Statement): void {
    this.#say(`${statement.actor.name}: ${what}: ${titleOf(statement)}`);
  }

  #say(text: string): void {
    if (this.trace.length < TRACE_LINES)
      this.trace.push(`${String(Math.round(this.#parts.time.now)).padStart(7)} ms  ${text}`);
  }
}

/** `a`, `a+2`, `a+3` … */
function nextLife(name: string): string {
  const [base, life = "1"] = name.split("+");
  return `${base}+${Number(life) + 1}`;
}

/** Lets every promise that can go on do so. */
async function settle(): Promise<void> {
  await new Promise(setImmediate);
  await new Promise(setImmediate);
}
