/** Platforms of which a whole run of all takes a sample: they are slow, or differ from others in little. */
import { type CommandLine, GROUPS_VARIABLE, SAMPLE_VARIABLE, WHOLE_FILE_VARIABLE } from "./commandLine.js";
import type { Driver } from "./drivers.js";

export interface Share {
  /** Of how many groups of tests a sample takes something of one: in a short run, and in a whole run of all platforms. */
  readonly groups: { readonly short: number; readonly long: number };
  /** A file that the whole run of all platforms runs in whole. */
  readonly wholeFile?: string;
}

/** What of its tests a platform runs, as variables, and in words that follow what it runs on. */
export function shareOf({ groups, wholeFile = "" }: Share, platform: string, line: CommandLine): Driver {
  const { suite, sample, seed, whole } = line;
  if (suite === "all" && whole) {
    const variables = { [SAMPLE_VARIABLE]: seed, [WHOLE_FILE_VARIABLE]: wholeFile };
    return {
      note: `; a sample of its tests, by the seed ${seed} (npm run test:${platform} -- --all runs all)`,
      environment: { [GROUPS_VARIABLE]: String(groups.long), ...variables },
    };
  }
  const isPart = sample !== undefined && groups.short > 1;
  return {
    note: isPart ? `; one group of tests in ${String(groups.short)}` : "",
    environment: { [GROUPS_VARIABLE]: String(groups.short) },
  };
}
