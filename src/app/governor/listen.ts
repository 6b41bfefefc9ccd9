import { chmodSync, lstatSync, mkdirSync, rmSync, statSync } from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { BootstormError, EXIT } from "../../core/error.ts";
import { cannotWrite } from "../../host/store/atomic.ts";
import { readWholeFile } from "../../host/store/read.ts";
import { alreadyRuns } from "./journal.ts";

/** `sun_path` of Linux has 108 bytes, the last one is 0. */
const SOCKET_PATH_BYTES_MAX = 107;
const TOKEN_CHARACTERS_MIN = 16;

/**
 * Listens on a Unix socket that only its user can open. One that a killed daemon has left is removed.
 * @throws BootstormError CANNOT_LISTEN, CANNOT_WRITE, GOVERN_RUNNING
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw cannotListen(path, `the path has more than ${SOCKET_PATH_BYTES_MAX} bytes`);
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw cannotWrite(path, error as NodeJS.ErrnoException);
  }
  await removeStale(path);
  // From its first moment on: it is bound before `listen` returns.
  const umask = process.umask(0o177);
  try {
    const listening = started(server, path);
    server.listen({ path, backlog: 4096 });
    await listening;
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);
}

/** @throws BootstormError CANNOT_LISTEN */
export async function listenOnTcp(server: Server, host: string, port: number): Promise<void> {
  const listening = started(server, `${host}:${port}`);
  server.listen({ host, port, backlog: 4096 });
  await listening;
}

/**
 * The token of a file that only its owner can read.
 * @throws BootstormError CANNOT_READ, BAD_TOKEN_FILE
 */
export async function readToken(path: string): Promise<string> {
  const remedies = [`make one: (umask 077; openssl rand -hex 32 > ${path})`];
  const bytes = await readWholeFile(path, { bytesMax: 4096, remedies });
  const token = new TextDecoder().decode(bytes).trim();
  const wrong = (why: string) =>
    new BootstormError("BAD_TOKEN_FILE", `cannot use ${path}`, { why, remedies, exit: EXIT.input });
  if ((statSync(path).mode & 0o077) !== 0) throw wrong("others may read it: chmod 600");
  if (token.length < TOKEN_CHARACTERS_MIN) {
    throw wrong(`${token.length} characters are too few, at least ${TOKEN_CHARACTERS_MIN}`);
  }
  return token;
}

function started(server: Server, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(cannotListen(where, error.message));
    server.once("error", failed);
    server.once("listening", () => {
      server.off("error", failed);
      resolve();
    });
  });
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw cannotListen(path, "something that is no socket is there");
  if (await answers(path)) throw alreadyRuns(`somebody listens on ${path}`);
  rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function cannotListen(where: string, why: string): BootstormError {
  return new BootstormError("CANNOT_LISTEN", `cannot listen on ${where}`, {
    why,
    remedies: ["name another one: --socket, or listen in the configuration"],
    exit: EXIT.host,
  });
}
