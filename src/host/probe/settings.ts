import type { SettingsReading } from "../../core/facts/host-readings.ts";
import { readIfThere } from "./file.ts";

export function readSettings(root: string): SettingsReading {
  const lockdown = lockdownOf(readIfThere(root, "/sys/kernel/security/lockdown"));
  return {
    ...number(root, "kptrRestrict", "kptr_restrict"),
    ...number(root, "perfEventParanoid", "perf_event_paranoid"),
    ...number(root, "dmesgRestrict", "dmesg_restrict"),
    ...(lockdown === undefined ? {} : { lockdown }),
  };
}

function number<Key extends keyof SettingsReading>(
  root: string,
  key: Key,
  name: string,
): Partial<Record<Key, number>> {
  const text = readIfThere(root, `/proc/sys/kernel/${name}`);
  return text === undefined ? {} : ({ [key]: Number(text) } as Record<Key, number>);
}

/** `none [integrity] confidentiality`: the one in force is in brackets. */
function lockdownOf(text: string | undefined): SettingsReading["lockdown"] {
  const inForce = /\[(none|integrity|confidentiality)\]/.exec(text ?? "")?.[1];
  return inForce as SettingsReading["lockdown"];
}
