/** Why the gateway closes a socket. 1xxx are the WebSocket specification's own, 44xx are kantoku's. */
export const closeCodes = {
  goingAway: 1001,
  unsupportedData: 1003,
  policyViolation: 1008,
  tooLarge: 1009,
  serviceRestart: 1012,
  unauthenticated: 4401,
  revoked: 4403,
  slowReader: 4408,
  supersededWorker: 4409,
} as const;
