/** What a task asks, and the two answers. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { HitlAnswered, HitlDetail } from "../../../src/api/contract.ts";
import { ErrorNote } from "../components/feedback.tsx";
import { toast } from "../components/toasts.tsx";
import { send, url } from "../lib/http.ts";
import { approvalPath, approvalQuery, type TaskAddress } from "../lib/queries.ts";

/** The question of a waiting instance; nothing while it has not been put yet. */
export function Approval({ at }: { at: TaskAddress }) {
  const asked = useQuery(approvalQuery(at));
  return asked.data?.waiting ? <Question at={at} detail={asked.data} /> : null;
}

function Question({ at, detail }: { at: TaskAddress; detail: HitlDetail }) {
  const client = useQueryClient();
  const [note, setNote] = useState("");
  const answer = useMutation({
    mutationFn: (option: "Approve" | "Reject") =>
      send<HitlAnswered>("PATCH", url(approvalPath(at)), { chosen_options: [option], note: note.trim() || null }),
    onSuccess: async ({ chosen_options: [option] }) => {
      toast({ text: option === "Approve" ? `Approved ${at.taskId}` : `Rejected ${at.taskId}` });
      await client.invalidateQueries({ queryKey: ["dag", at.dagId] });
    },
  });
  return (
    <section className="panel-trouble waiting" aria-label="Approval">
      <strong>{detail.subject}</strong>
      {detail.body !== null && <div className="approval-body">{detail.body}</div>}
      <div className="row wrap">
        <input
          className="grow"
          aria-label="Note on the answer"
          placeholder="Note"
          maxLength={1000}
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
        <button type="button" className="button" disabled={answer.isPending} onClick={() => answer.mutate("Reject")}>
          Reject
        </button>
        <button
          type="button"
          className="button primary"
          disabled={answer.isPending}
          onClick={() => answer.mutate("Approve")}
        >
          Approve
        </button>
      </div>
      {answer.isError && <ErrorNote error={answer.error} />}
    </section>
  );
}
