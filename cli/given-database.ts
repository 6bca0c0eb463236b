/** A failure of work on a given database says which one it was, without its password. */
export async function withDatabaseNamed<Result>(
  work: Promise<Result>,
  databaseUrl: string,
): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const database = databaseUrl.replace(/^\w+:\/\/([^/?]*@)?/, "").replace(/\?.*$/, "");
    throw new Error(`cannot use the database at ${database}: ${reason}`, { cause: error });
  }
}
