/** How our guest can fail on purpose, right after it has reported `init`. */
export type GuestFault =
  /** The kernel panics. */
  | "panic"
  /** It burns its CPU and gets no further. */
  | "loop"
  /** It writes to its console without end. */
  | "flood"
  /** It ends as if it were done. */
  | "exit"
  /** It does not even report `init`, and sleeps. */
  | "silent";

/**
 * The first process of our guest. It reports `init` and `ready` by a line on the console, which a
 * shell writes by itself and so without delay, and then by a byte on the debug port, which needs a
 * program. Its work between the two: to mount sysfs and devtmpfs. It takes orders from the kernel's
 * command line: `bootstorm.after=exit|stay`, what follows `ready`, and `bootstorm.fault=…`.
 */
export const INIT_SCRIPT = `#!/bin/sh
mount -t proc proc /proc

report() {
  read -r uptime _ </proc/uptime
  echo "bootstorm: $2 $uptime"
  mark "$1"
}
rest() {
  while :; do sleep 86400; done
}

after=stay
fault=none
read -r words </proc/cmdline
for word in $words; do
  case $word in
    bootstorm.after=*) after=\${word#*=} ;;
    bootstorm.fault=*) fault=\${word#*=} ;;
  esac
done

[ "$fault" = silent ] && rest
report i init
case $fault in
  # Without sysrq it is the end of the first process that the kernel panics of.
  panic) echo c >/proc/sysrq-trigger; exit 1 ;;
  loop) while :; do :; done ;;
  flood) yes "console flood of a test" ;;
  exit) reboot -f ;;
esac

mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
report r ready
# No machine is assumed to have a power button: to restart ends QEMU, which has -no-reboot.
[ "$after" = exit ] && reboot -f
rest
`;
