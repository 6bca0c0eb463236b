const patienceMs = 1_000;
const lineCharsMax = 200;
const ping = '{"jsonrpc":"2.0","id":1,"method":"session.ping"}';

/**
 * Why no socket could be opened: sockets do not tell, so the same address is asked over HTTP, which
 * goes through the same names, proxies and doors.
 */
export async function explainSilence(socketUrl: string): Promise<Error> {
  try {
    const response = await fetch(socketUrl.replace(/^ws/, "http"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: ping,
      redirect: "manual",
      signal: AbortSignal.timeout(patienceMs),
    });
    const text = await response.text();
    return new Error(
      response.ok ? "it answers over HTTP, but opens no WebSocket" : statusLine(response, text),
    );
  } catch (failure) {
    // What fetch throws says only that it failed; its cause is the fact.
    const { cause } = failure as Error;
    return cause instanceof Error ? cause : (failure as Error);
  }
}

/** The status of an answer that is no gateway's, and what it says first. */
export function statusLine({ status, statusText }: Response, text: string): string {
  const [line = ""] = text.trimStart().split("\n", 1);
  return `${status} ${line.trim().slice(0, lineCharsMax) || statusText}`.trim();
}
