/** `…/hitlDetails`: what tasks ask people, in Airflow 3's shape for a human in the loop. */
import { z } from "zod";
import { taskInstance } from "./runs.ts";
import { instant } from "./shared.ts";

/** What may be chosen, as Airflow's approvals call it. */
export const approvalOption = z.enum(["Approve", "Reject"]);

const person = z.object({ id: z.string(), name: z.string() }).meta({ id: "HITLUser" });

export const hitlDetail = z
  .object({
    task_instance: taskInstance,
    options: z.array(approvalOption),
    subject: z.string(),
    body: z.string().nullable(),
    defaults: z.array(z.string()).nullable(),
    multiple: z.boolean(),
    params: z.record(z.string(), z.unknown()),
    assigned_users: z.array(person),
    created_at: instant,
    responded_by_user: person.nullable(),
    responded_at: instant.nullable(),
    chosen_options: z.array(approvalOption).nullable(),
    params_input: z.record(z.string(), z.unknown()),
    response_received: z.boolean(),
    /** Least role of who may answer. */
    role: z.enum(["user", "admin"]),
    /** Whether an answer is still wanted. */
    waiting: z.boolean(),
    note: z.string().nullable(),
  })
  .meta({ id: "HITLDetail" });

/** An element of {@link hitlDetailCollection}. */
export type HitlDetail = z.output<typeof hitlDetail>;

export const hitlDetailCollection = z
  .object({ hitl_details: z.array(hitlDetail), total_entries: z.number() })
  .meta({ id: "HITLDetailCollection" });

/** `PATCH …/hitlDetails`: the answer. */
export const hitlAnswer = z
  .strictObject({
    chosen_options: z.array(approvalOption).length(1),
    params_input: z.record(z.string(), z.unknown()).nullish(),
    note: z.string().max(1000).nullish(),
  })
  .meta({ id: "UpdateHITLDetailPayload" });

export const hitlAnswered = z
  .object({
    responded_by: person,
    responded_at: instant,
    chosen_options: z.array(approvalOption),
    params_input: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "HITLDetailResponse" });

/** {@link hitlAnswered} as it comes. */
export type HitlAnswered = z.output<typeof hitlAnswered>;
