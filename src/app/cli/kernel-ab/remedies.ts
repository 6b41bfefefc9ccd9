import { BootstormError } from "../../../core/error.ts";

/**
 * An error of what `storm` uses too, without the advice to change its scenario: there is none here.
 * @param instead  what helps here in its place
 */
export function withoutScenario(...instead: readonly string[]): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof BootstormError)) throw error;
    const { code, message, why, exit } = error;
    const fitting = error.remedies.filter((remedy) => !remedy.includes("guests[]"));
    const isSame = fitting.length === error.remedies.length;
    const remedies = isSame ? fitting : [...fitting, ...instead];
    throw new BootstormError(code, message, { why, remedies, exit });
  };
}
