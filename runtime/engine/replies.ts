import type { TaskMessage } from "./messages.ts";
import type { Verdict } from "./pen.ts";

/** What a message's caller is told once its turn is committed. */
export function replyTo(message: TaskMessage, verdict: Verdict | undefined): () => void {
  if (!("caller" in message) || message.caller === null || verdict === undefined) return nobody;
  switch (message.type) {
    case "submit": {
      const { caller } = message;
      return () => caller.answer({ created: true });
    }
    case "complete":
    case "fail":
    case "refuse": {
      const { caller, token } = message;
      const answer = isRecorded(token, verdict) ? "recorded" : "late";
      return () => caller.answer({ answer });
    }
    case "recordStep": {
      const { caller } = message;
      const answer = verdict.event !== null || verdict.isRepeat ? "recorded" : "late";
      return () => caller.answer({ answer });
    }
    case "cancel": {
      const { caller } = message;
      const accepted = verdict.event !== null || verdict.snapshot.value === "cancelling";
      return () => caller.answer({ accepted });
    }
  }
}

/** A report counts as recorded when it, or an earlier copy of it, decided how the attempt ended. */
function isRecorded(token: string, { event, snapshot }: Verdict): boolean {
  if (event === null) return snapshot.context.recordedToken === token;
  return event.type !== "attempt.cancelled" && event.type !== "attempt.late";
}

function nobody(): void {}
