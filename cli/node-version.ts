/**
 * What to say under a Node that is too old for the package; undefined under one that is not.
 * `engines`: the lowest version, as `>=22.18`.
 */
export function complaintAboutNode(engines: string, version: string): string | undefined {
  const [neededMajor = 0, neededMinor = 0] = numbersOf(engines);
  const [major = 0, minor = 0] = numbersOf(version);
  const isOld = major < neededMajor || (major === neededMajor && minor < neededMinor);
  return isOld ? `error: kantoku needs Node ${engines}, and this is ${version}` : undefined;
}

function numbersOf(version: string): readonly number[] {
  return version.match(/\d+/g)?.map(Number) ?? [];
}
