import { Command, CommanderError } from "commander";
import { BootstormError, EXIT } from "../../core/error.ts";
import { COMMANDS } from "./commands/index.ts";
import { markBare } from "./run.ts";
import { usageError } from "./usage-error.ts";
import { VERSION } from "./version.ts";

await main(process.argv.slice(2));

/** Parses the command line, runs one command and sets the exit status. Never throws. */
async function main(args: readonly string[]): Promise<void> {
  endQuietlyWhenTheReaderLeaves();
  const { own, trailing } = splitAtDashes(args);
  try {
    const program = await programFor(own, trailing);
    await program.parseAsync(markBare(own), { from: "user" });
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? endOfParsing(error, own) : report(error);
  }
}

/** The program with every command's summary, and the flags of the one that is asked for. */
async function programFor(args: readonly string[], trailing: readonly string[]): Promise<Command> {
  const program = new Command("bootstorm")
    .description("Find, explain and remove the kernel lock contention that slows boot storms.")
    .version(VERSION)
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({ outputError: () => undefined }) // `report` prints errors
    .addHelpText(
      "after",
      "\nEvery command has --help with examples. Start with: bootstorm investigate",
    );
  for (const { name, summary, load, runsAnother } of COMMANDS) {
    const command = program.command(name).summary(summary);
    if (!args.includes(name)) continue;
    (await load()).define(command, trailing);
    if (!runsAnother) command.hook("preAction", () => refuse(name, trailing));
  }
  return program;
}

/** What stands after `--` is another program's, not ours to parse. */
function splitAtDashes(args: readonly string[]): { own: readonly string[]; trailing: string[] } {
  const at = args.indexOf("--");
  if (at === -1) return { own: args, trailing: [] };
  return { own: args.slice(0, at), trailing: args.slice(at + 1) };
}

function refuse(name: string, trailing: readonly string[]): void {
  if (trailing.length === 0) return;
  const words = trailing.join(" ");
  throw new BootstormError("WRONG_USAGE", `${name} runs no other command`, {
    why: `after -- stands ${words}`,
    remedies: [`to record while it runs: bootstorm contention -- ${words}`],
    exit: EXIT.usage,
  });
}

/** Help and version are no failures; help that nobody asked for is, and is printed already. */
function endOfParsing(error: CommanderError, args: readonly string[]): number {
  if (error.exitCode === 0) return EXIT.done;
  if (error.code === "commander.help") return EXIT.usage;
  const asked = COMMANDS.find(({ name }) => args.includes(name));
  return report(usageError(error, asked === undefined ? "bootstorm" : `bootstorm ${asked.name}`));
}

/** Prints what a person needs to know of a failure. @returns the exit status */
function report(error: unknown): number {
  if (error instanceof BootstormError) {
    const lines = [`bootstorm: ${error.message} (${error.code})`, `  why: ${error.why}`];
    error.remedies.forEach((remedy, index) => {
      lines.push(`  ${index === 0 ? "do: " : "    "} ${remedy}`);
    });
    process.stderr.write(`${lines.join("\n")}\n`);
    return error.exit;
  }
  const stack = error instanceof Error ? error.stack : String(error);
  process.stderr.write(`bootstorm: this is a bug in bootstorm, please report it\n${stack}\n`);
  return 70; // EX_SOFTWARE of sysexits.h: never one of the documented meanings
}

/** `bootstorm … | head` is no error. */
function endQuietlyWhenTheReaderLeaves(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
      throw error;
    });
  }
}
