/**
 * Runs `act` after all promises of this tick have settled, so that what they bring travels
 * together. Microtasks are too early: an answer's continuation is often several of them away.
 */
export const nextTick: (act: () => void) => void =
  typeof setImmediate === "function"
    ? (act) => void setImmediate(act)
    : (act) => void setTimeout(act, 0);
