/** The check of `approval`: asks once; the answer itself ends the wait (src/metadata/approvals.ts). */
import type { z } from "zod";
import { askApproval } from "../metadata/approvals.ts";
import type { approvalSchema } from "./approval.ts";
import type { SensorCheck } from "./check.ts";

type Condition = { subject: string };

export const check: SensorCheck<z.output<typeof approvalSchema>, Condition, null> = {
  looks: "together",
  async prepare(config, given, { database }) {
    await askApproval(database, given, config);
    return { condition: { subject: config.subject }, checkAt: null, note: `for an approval: ${config.subject}` };
  },
  async look(waits) {
    return waits.map(({ condition }) => ({
      state: "unmet",
      note: `nobody has answered yet: ${condition.subject}`,
      next: "wake",
    }));
  },
};
