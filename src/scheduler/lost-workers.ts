/** Finds worker sessions that are over and gives their work to others. */
import type { Database } from "../metadata/database.ts";
import { endExpiredSessions, endGoneSession, liveSessions, rescueAttempts } from "../metadata/rescue.ts";
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

  /** One look at `now` (milliseconds of a clock that never goes back). Returns how many attempts were rescued. */
  async look(database: Database, now: number): Promise<number> {
    const stalled = this.#lastLookAt !== null && now - this.#lastLookAt > (LEASE_SECONDS * 1000) / 2;
    if (stalled) this.#trustLeasesFrom = now + LEASE_SECONDS * 1000;
    this.#lastLookAt = now;
    for (const session of await liveSessions(database, this.#hostId)) {
      const alive = await isAlive({ pid: session.pid, startedAt: session.pidStartedAt });
      // guard: host-only
      if (!alive) await endGoneSession(database, session.workerId);
    }
    // guard: stall-trust
    if (now >= this.#trustLeasesFrom) await endExpiredSessions(database);
    return this.#rescue(database);
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
