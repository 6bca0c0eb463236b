import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** Starts a process of this folder; resolves with its first message. */
export async function forkReady<Message>(
  name: "node" | "server" | "worker",
  args: readonly string[],
): Promise<{ child: ChildProcess; message: Message }> {
  const child = fork(join(import.meta.dirname, `${name}.ts`), args, { stdio: "inherit" });
  const [message] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`the ${name} process ended with ${code}`);
    }),
  ])) as [Message];
  return { child, message };
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}
