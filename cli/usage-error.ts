/** The command line or a setting is wrong: nothing was done, and the program ends with code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
