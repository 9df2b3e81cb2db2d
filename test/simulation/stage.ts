/**
 * Between actors and the database: every statement of an actor waits here until the driver sends it, commits it, and hands
 * back its answer, each in a step of its own.
 */
import type pg from "pg";
import type { Connections } from "../../src/metadata/database.ts";
import type { Backend, Ending, Sent, SimulatedServer } from "./server.ts";
import type { TimeOwner } from "./virtual-time.ts";

/** A program that runs against the database. */
export interface Actor extends TimeOwner {
  /** Virtual time until which nothing of it happens. */
  pausedUntil: number;
  dead: boolean;
}

/**
 * Where a statement is: `waiting` = not sent, `sent` = waits for a lock, `open` = carried out and not committed,
 * `done` = over for the server and not answered.
 */
export type Phase = "waiting" | "sent" | "open" | "done";

/** A connection that an actor holds for a transaction. */
export interface Session {
  readonly actor: Actor;
  backend: Backend | null;
  /** The connection is gone: every further statement fails. */
  broken: boolean;
  released: boolean;
  /** Virtual time at which its last statement ended. */
  idleSince: number;
}

/** One statement of an actor. */
export interface Statement {
  readonly actor: Actor;
  readonly text: string;
  readonly values: unknown[] | undefined;
  /** Null: a transaction of its own. */
  readonly session: Session | null;
  readonly answer: PromiseWithResolvers<pg.QueryResult>;
  phase: Phase;
  /** Commits by itself, at once. */
  commits: boolean;
  backend: Backend | null;
  sent: Sent | null;
  ending: Ending | null;
}

/** What the client library says about a connection that is gone. */
export function connectionLost(): Error & { code: string } {
  return Object.assign(new Error("Connection terminated unexpectedly"), { code: "ECONNRESET" });
}

/** First words of a statement, for the trace. */
export function titleOf({ text }: Statement): string {
  return text.replace(/\s+/g, " ").trim().slice(0, 60);
}

/** All statements and sessions of a simulation. */
export class Stage {
  readonly statements: Statement[] = [];
  readonly sessions = new Set<Session>();
  /** What actors ask for in the order of asking. */
  readonly server: SimulatedServer;

  constructor(server: SimulatedServer) {
    this.server = server;
  }

  /** A pool of connections for an actor. */
  poolOf(actor: Actor): Connections {
    return {
      query: <R extends pg.QueryResultRow>(text: string, values?: unknown[]) =>
        this.#add(actor, null, text, values) as Promise<pg.QueryResult<R>>,
      connect: async () => this.#client(actor),
      end: async () => {},
    };
  }

  #client(actor: Actor): pg.PoolClient {
    const session: Session = { actor, backend: null, broken: false, released: false, idleSince: 0 };
    this.sessions.add(session);
    const client = {
      query: (text: string, values?: unknown[]) => this.#add(actor, session, text, values),
      release: () => {
        session.released = true;
      },
    };
    return client as unknown as pg.PoolClient;
  }

  #add(actor: Actor, session: Session | null, text: string, values?: unknown[]): Promise<pg.QueryResult> {
    const answer = Promise.withResolvers<pg.QueryResult>();
    const statement: Statement = {
      actor,
      text,
      values,
      session,
      answer,
      phase: "waiting",
      commits: false,
      backend: null,
      sent: null,
      ending: null,
    };
    this.statements.push(statement);
    return answer.promise;
  }

  /** Takes a statement off the stage. */
  remove(statement: Statement): void {
    const at = this.statements.indexOf(statement);
    if (at >= 0) this.statements.splice(at, 1);
  }
}
