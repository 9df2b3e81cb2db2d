/** Loaded before anything else into a process whose machine's clock is wrong: CHAOS_SHIFT_MS milliseconds ahead. */
const shiftMs = Number(process.env.CHAOS_SHIFT_MS);
const Real = Date;

class ShiftedDate extends Real {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(Real.now() + shiftMs);
    else super(...(given as [number]));
  }

  static override now(): number {
    return Real.now() + shiftMs;
  }
}

globalThis.Date = ShiftedDate as DateConstructor;
