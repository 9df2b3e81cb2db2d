/** What can happen to a statement, each as one step against the real server. */
import { connectionLost, type Session, type Stage, type Statement } from "./stage.ts";

/** What the database's functions are told at the beginning of a transaction. */
export interface Moment {
  /** The database's clock. */
  now(): Date;
  /** Virtual milliseconds. */
  at(): number;
  /** When the server is said to have started. */
  started(): Date;
}

/** Carries statements through their phases. */
export class Steps {
  readonly #stage: Stage;
  readonly #moment: Moment;

  constructor(stage: Stage, moment: Moment) {
    this.#stage = stage;
    this.#moment = moment;
  }

  /**
   * Sends a waiting statement; afterwards it is `done`, or `sent` (waits for a lock), or, where it is a transaction of its own
   * that commits in a step of its own, `open`.
   */
  async send(statement: Statement, commitsApart: () => boolean): Promise<void> {
    const { server } = this.#stage;
    const { session } = statement;
    if (session?.broken) return this.#fail(statement, connectionLost());
    if (session?.backend) statement.backend = session.backend;
    else {
      const backend = await server.take();
      const isApart = session !== null || commitsApart();
      await server.setMoment(backend, this.#settings(), isApart);
      statement.commits = session === null && !isApart;
      statement.backend = backend;
      if (session !== null) {
        session.backend = backend;
        session.idleSince = this.#moment.at();
        if (/^begin/i.test(statement.text)) return this.#succeed(statement);
      }
    }
    statement.phase = "sent";
    statement.sent = server.send(statement.backend, statement.text, statement.values);
    await this.look(statement);
  }

  /** Looks whether a sent statement has ended. */
  async look(statement: Statement): Promise<boolean> {
    const { sent, backend, session } = statement;
    if (!sent || !backend || !(await this.#stage.server.settled(sent, backend))) return false;
    statement.ending = sent.ending;
    const failed = sent.ending !== null && "error" in sent.ending;
    statement.phase = session === null && !failed && !statement.commits ? "open" : "done";
    if (session) session.idleSince = this.#moment.at();
    else if (statement.phase === "done") await this.#giveBack(statement);
    return true;
  }

  /** Commits a statement that is a transaction of its own. */
  async commit(statement: Statement): Promise<void> {
    try {
      await statement.backend?.client.query("commit");
    } catch (error) {
      statement.ending = { error: error as Error };
    }
    await this.#giveBack(statement);
    statement.phase = "done";
  }

  /** The server loses the transaction of a statement that is not committed. */
  async undo(statement: Statement): Promise<void> {
    await this.#giveBack(statement);
    statement.ending = { error: connectionLost() };
    statement.phase = "done";
  }

  /** Tells the actor what came of its statement, or, where the answer is lost, that its connection is gone. */
  async answer(statement: Statement, isLost: () => boolean): Promise<void> {
    this.#stage.remove(statement);
    if (isLost()) {
      if (statement.session) await this.breakSession(statement.session);
      statement.answer.reject(connectionLost());
    } else if (statement.ending && "result" in statement.ending) statement.answer.resolve(statement.ending.result);
    else statement.answer.reject(statement.ending?.error ?? connectionLost());
  }

  /** Fails a statement that was not sent, and the connection of its transaction with it. */
  async refuse(statement: Statement): Promise<void> {
    if (statement.session) await this.breakSession(statement.session);
    this.#fail(statement, connectionLost());
  }

  /** Ends the connection of a transaction: the server rolls back, the actor hears of it with its next statement. */
  async breakSession(session: Session): Promise<void> {
    session.broken = true;
    const { backend } = session;
    session.backend = null;
    if (backend) await this.#stage.server.release(backend);
  }

  /** Takes connections back that actors have released. */
  async reclaim(): Promise<void> {
    for (const session of this.#stage.sessions) {
      if (!session.released) continue;
      this.#stage.sessions.delete(session);
      if (session.backend) await this.#stage.server.release(session.backend);
      session.backend = null;
    }
  }

  async #giveBack(statement: Statement): Promise<void> {
    const { backend } = statement;
    statement.backend = null;
    if (backend) await this.#stage.server.release(backend);
  }

  /** The virtual moment, as settings of a connection. */
  #settings(): Record<string, string> {
    return {
      "sim.now": this.#moment.now().toISOString(),
      "sim.started": this.#moment.started().toISOString(),
    };
  }

  #succeed(statement: Statement): void {
    statement.ending = { result: { command: "BEGIN", rowCount: null, rows: [], fields: [], oid: 0 } };
    statement.phase = "done";
  }

  #fail(statement: Statement, error: Error): void {
    statement.ending = { error };
    statement.phase = "done";
  }
}
