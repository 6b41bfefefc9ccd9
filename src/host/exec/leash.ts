/**
 * `ulimit -c 0`: no core file in the working directory when the program aborts. `$0` is the limit in
 * seconds where only that is left to end it.
 */
const LEASH = `
ulimit -c 0
setpriv --pdeathsig KILL true 2>/dev/null && exec setpriv --pdeathsig KILL "$@"
command -v timeout >/dev/null && exec timeout -s KILL "$0" "$@"
exec "$@"
`;

/**
 * A command that starts another one so that nothing of it can stay: the kernel ends it when we are
 * killed, or else it ends a second after its limit. A program that is missing ends with status 127.
 */
export function onLeash(
  command: string,
  args: readonly string[],
  limitMs: number,
): readonly [command: string, args: readonly string[]] {
  return ["/bin/sh", ["-c", LEASH, String(Math.ceil(limitMs / 1000) + 1), command, ...args]];
}
