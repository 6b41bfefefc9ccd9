import type { CommanderError } from "commander";
import { BootstormError, EXIT } from "../../core/error.ts";

const WHY: Record<string, string> = {
  "commander.unknownOption": "there is no such flag",
  "commander.unknownCommand": "there is no such command",
  "commander.optionMissingArgument": "this flag needs a value",
};

/**
 * Commander's words as an error of ours. It says them in one of these forms:
 *
 *   error: option '--rounds <n>' argument '2' is invalid. '2' is not a whole number from 3 to 10000.
 *   error: too many arguments for 'doctor'. Expected 0 arguments but got 1.
 *   error: unknown command 'contenton'\n(Did you mean contention?)
 *
 * @param command  what to ask for help, such as `bootstorm doctor`
 */
export function usageError({ code, message }: CommanderError, command: string): BootstormError {
  const [said, suggestion] = message.replace(/^error: /, "").split("\n");
  const [what, because] = said!.split(/(?<= is invalid)\. |\. (?=Expected )/);
  return new BootstormError("WRONG_USAGE", what!, {
    why: because?.replace(/\.$/, "") ?? WHY[code] ?? "it does not fit the usage of this command",
    remedies: [
      ...(suggestion === undefined ? [] : [suggestion.replace(/^\(D(.*)\)$/, "d$1")]),
      `see what is possible: ${command} --help`,
    ],
    exit: EXIT.usage,
  });
}
