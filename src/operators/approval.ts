/** `approval`: waits until a person approves or rejects. */
import { z } from "zod";
import { defineSensor } from "../dag/define-operator.ts";

/** Config of {@link approval}. */
export const approvalSchema = z.strictObject({
  /** The question, in one line. */
  subject: z.string().min(1).max(500),
  /** What there is to know for the answer; Markdown. */
  body: z.string().max(10_000).default(""),
  /** Least role of who may answer. */
  role: z.enum(["user", "admin"]).default("user"),
  /** How the task ends when it is rejected. */
  onReject: z.enum(["fail", "skip"]).default("skip"),
});

/** The answer: the XCom of {@link approval}. */
export interface ApprovalAnswer {
  chosen: "approve";
  by: string;
  /** ISO 8601 in UTC. */
  at: string;
  note: string | null;
}

/** Waits until a person approves; rejected, the task is skipped or fails. See docs/operators/approval.md. */
export const approval = defineSensor<ApprovalAnswer, typeof approvalSchema>("approval", approvalSchema);
