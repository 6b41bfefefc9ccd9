import { join, resolve } from "node:path";
import type { Command } from "commander";
import { BootstormError } from "../../../core/error.ts";
import {
  DEFAULT_GOVERN_CONFIG,
  type GovernConfig,
  readGovernConfig,
} from "../../../core/scenario/govern-config.ts";
import { formatCount } from "../../../core/units.ts";
import { stateFolder } from "../../../host/qemu/leftovers.ts";
import { readScenarioFile } from "../../../host/store/scenario-file.ts";
import { type Governor, startGovernor } from "../../governor/governor.ts";
import { fileName } from "../arguments.ts";
import { type Answer, runCommand, type Session, withCommonFlags } from "../run.ts";
import { VERSION } from "../version.ts";

interface Flags {
  readonly config?: string;
  readonly socket?: string;
  readonly state?: string;
  readonly check?: true;
}

export function define(command: Command): void {
  withCommonFlags(
    command
      .description(
        "Give permits to VM launchers, so that no more VMs boot at once than this host can serve.",
      )
      .option("--config <file>", "configuration, YAML or JSON (default: every default)", fileName)
      .option("--socket <file>", "Unix socket to listen on (default: as configured)", fileName)
      .option("--state <folder>", "where the journal is (default: as configured)", fileName)
      .option("--check", "check the configuration, print it with its defaults, and end"),
  )
    .addHelpText(
      "after",
      `
Examples:
  bootstorm govern                            with every default, until Ctrl-C
  bootstorm govern --config /etc/bootstorm/govern.yaml
  bootstorm govern --config mine.yaml --check say what it means, and what is wrong with it`,
    )
    .action((flags: Flags) =>
      flags.check === true
        ? runCommand(command, () => check(flags))
        : runCommand(command, (session) => govern(session, flags), { isDaemon: true }),
    );
}

/** A configuration that says where everything is. */
type Placed = GovernConfig & { readonly socket: string; readonly stateFolder: string };

async function check(flags: Flags): Promise<Answer> {
  const configuration = await readPlaced(flags);
  return {
    input: inputOf(flags),
    result: { configuration },
    caveats: [],
    text: `${JSON.stringify(configuration, null, 2)}\n`,
  };
}

async function govern({ signal, progress }: Session, flags: Flags): Promise<Answer> {
  const config = await readPlaced(flags);
  const say = (text: string) => progress.note(text);
  const governor = await startGovernor({
    config,
    socketPath: config.socket,
    stateFolder: config.stateFolder,
    version: VERSION,
    reread: () => readPlaced(flags),
    say,
  });
  const reload = () => void reloadAndSay(governor, say);
  process.on("SIGHUP", reload);
  try {
    for (const where of governor.listensOn) say(`listens on ${where}`);
    await aborted(signal);
  } finally {
    process.off("SIGHUP", reload);
    await governor.end();
  }
  const { asked, granted, ended } = governor.counts;
  const result = { configuration: config, permits: { asked, granted, ended } };
  const text = `${formatCount(asked)} permits were asked for, ${formatCount(granted)} granted.\n`;
  return { input: inputOf(flags), result, caveats: [], text };
}

async function reloadAndSay(governor: Governor, say: (text: string) => void): Promise<void> {
  try {
    const waits = await governor.reload();
    say(waits.length === 0 ? "reloaded" : `reloaded; a restart is needed for ${waits.join(", ")}`);
  } catch (error) {
    if (!(error instanceof BootstormError)) throw error;
    say(`not reloaded, nothing has changed: ${error.message}: ${error.why}`);
  }
}

async function readPlaced({ config: file, socket, state }: Flags): Promise<Placed> {
  const config =
    file === undefined ? DEFAULT_GOVERN_CONFIG : readGovernConfig(await readScenarioFile(file));
  const chosenSocket = socket ?? config.socket;
  const chosenState = state ?? config.stateFolder;
  return {
    ...config,
    socket: resolve(chosenSocket ?? join(stateFolder(), "govern.sock")),
    stateFolder: resolve(chosenState ?? stateFolder()),
  };
}

function inputOf({ config, socket, state, check }: Flags) {
  return {
    ...(config === undefined ? {} : { config }),
    ...(socket === undefined ? {} : { socket }),
    ...(state === undefined ? {} : { state }),
    check: check === true,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    signal.addEventListener("abort", () => done(), { once: true });
  });
}
