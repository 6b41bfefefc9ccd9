/**
 * Process exit status by meaning, the same for every command.
 * `badNews`: the command did its work and the answer is one the caller asked to be warned of.
 * `unknown`: it ended at a limit before it had the answer. `vacuous`: the question tests nothing.
 */
export const EXIT = {
  done: 0,
  badNews: 1,
  usage: 2,
  host: 3,
  input: 4,
  unknown: 5,
  vacuous: 6,
  interrupted: 130,
} as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/**
 * An operating error: expected, and of use to a person. It says what happened (message), why, and
 * what to do, in that order. Anything else that is thrown is a bug.
 */
export class BootstormError extends Error {
  readonly code: string;
  readonly why: string;
  readonly remedies: readonly string[];
  readonly exit: ExitStatus;

  constructor(
    code: string,
    message: string,
    details: { why: string; remedies?: readonly string[]; exit: ExitStatus },
  ) {
    super(message);
    this.name = "BootstormError";
    this.code = code;
    this.why = details.why;
    this.remedies = details.remedies ?? [];
    this.exit = details.exit;
  }
}
