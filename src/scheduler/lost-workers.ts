/** Finds worker sessions that are over and gives their work to others. */
import type { Database } from "../metadata/database.ts";
import {
  endExpiredSessions,
  endGoneSession,
  liveSessions,
  rescueAttempts,
  type SessionRow,
} from "../metadata/rescue.ts";
import { wakeWith } from "../metadata/wake.ts";
import { LEASE_SECONDS } from "../metadata/worker-sessions.ts";
import { isAlive } from "../processes/table.ts";

/** Looks for lost workers. After a stall of its own it trusts expired leases only when workers had the time to renew. */
export class LostWorkerSearch {
  readonly #hostId: string;
  #lastLookAt: number | null = null;
  #trustLeasesFrom = 0;

  constructor(hostId: string) {
    this.#hostId = hostId;
  }

  /** Tells that this process goes on at `now` (milliseconds of a clock that never goes back), where there is nothing to look for. */
  goesOn(now: number): void {
    const stalled = this.#lastLookAt !== null && now - this.#lastLookAt > (LEASE_SECONDS * 1000) / 2;
    if (stalled) this.#trustLeasesFrom = now + LEASE_SECONDS * 1000;
    this.#lastLookAt = now;
  }

  /** One look at `now`. Returns how many attempts were rescued. */
  async look(database: Database, now: number): Promise<number> {
    this.goesOn(now);
    for (const session of await liveSessions(database, this.#hostId)) {
      const alive = await isAlive({ pid: session.pid, startedAt: session.pidStartedAt });
      // guard: host-only
      if (!alive) await endGoneSession(database, session.workerId);
    }
    // guard: stall-trust
    if (now >= this.#trustLeasesFrom) await endExpiredSessions(database);
    return this.#rescue(database);
  }

  /** Whether the process of one of these workers of this host is gone. */
  async anyGone(sessions: readonly SessionRow[]): Promise<boolean> {
    const alive = await Promise.all(sessions.map(({ pid, pidStartedAt }) => isAlive({ pid, startedAt: pidStartedAt })));
    return alive.includes(false);
  }

  async #rescue(database: Database): Promise<number> {
    let all = 0;
    for (;;) {
      const { rescued } = await rescueAttempts(database);
      if (rescued === 0) break;
      all += rescued;
    }
    if (all > 0) await wakeWith(database, "qflow_scheduler");
    return all;
  }
}
