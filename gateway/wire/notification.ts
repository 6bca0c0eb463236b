/** Messages of the server that no call asked for, as text. */
export function notification(method: NotificationName, params: object): string {
  return `{"jsonrpc":"2.0","method":"${method}","params":${JSON.stringify(params)}}`;
}

export const notificationNames = [
  "task.event",
  "task.progress",
  "subscription.end",
  "attempt.assign",
  "attempt.cancel",
  "worker.superseded",
  "server.shutdown",
] as const;
export type NotificationName = (typeof notificationNames)[number];
