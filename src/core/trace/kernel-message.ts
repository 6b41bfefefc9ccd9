// What a kernel says on its console when something is wrong. A message may stand behind its time, and
// behind the thread or CPU it comes from:
//
//   [    5.123456] WARNING: CPU: 1 PID: 45 at arch/x86/mm/pat/set_memory.c:1654 __change_page_attr+0x12/0x30
//   [   26.064316][   T61] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [bootstorm/1:61]
//   [    9.000001] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100

const MESSAGE_CHARS_MAX = 300;

//             what another writer has left before it, time, thread (T) or CPU (C)
const TIME = /^.*\[ *\d{1,10}\.\d{6}\](?:\[ *[TC]\d+\])? /;

/**
 * Words that a complaint begins with, or that follow who complains. Lock dependency checks are
 * `WARNING: possible circular locking dependency detected` and the like; those of page tables end in
 * `kernel BUG at mm/page_table_check.c:118!`.
 */
const COMPLAINT = [
  /^(?:[\w /-]{1,20}: )?(?:BUG|WARNING|INFO|UBSAN|Oops): /,
  /^kernel BUG at /,
  /^general protection fault/,
  /^(?:double fault|divide error|invalid opcode|stack segment): /,
  /page allocation failure: /,
  /^Out of memory: /,
  /^page_table_check/,
  /W\+X mappings: FAILED/,
];

/** The message of a line of a console, without its time; printable ASCII, and cut. */
export function messageOf(line: string): string {
  return line
    .replace(TIME, "")
    .slice(0, MESSAGE_CHARS_MAX)
    .replace(/[^ -~]/g, "")
    .trim();
}

export function isComplaint(message: string): boolean {
  return COMPLAINT.some((words) => words.test(message));
}

export function isPanic(message: string): boolean {
  return message.startsWith("Kernel panic - not syncing");
}
