import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isRecord } from "../sdk/values/record.ts";
import { UsageError } from "./usage-error.ts";

export const configFileName = "kantoku.config.ts";

/**
 * What the folder's `kantoku.config.ts` exports as its default or as `config`; nothing where there
 * is no such file.
 * @throws UsageError when it cannot be loaded, or exports something else
 */
export async function loadConfig(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const file = join(folder, configFileName);
  if (!existsSync(file)) return {};
  const loaded = await importConfig(file);
  const config = loaded["default"] ?? loaded["config"];
  if (isRecord(config)) return config;
  throw new UsageError(
    `${configFileName} must export an object, as its default or under the name "config"`,
  );
}

async function importConfig(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new UsageError(`${configFileName} cannot be loaded: ${message}`, { cause: thrown });
  }
}
