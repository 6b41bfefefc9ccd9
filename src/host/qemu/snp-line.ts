import type { SnpProfile } from "../../core/scenario/machine.ts";
import { optionValue } from "./option-value.ts";

/** Where the CPU keeps the mark of a private page in an address, and what that takes away. */
export interface CBit {
  /** CPUID 0x8000001F, EBX[5:0]. */
  readonly cbitpos: number;
  /** CPUID 0x8000001F, EBX[11:6]. */
  readonly reducedPhysBits: number;
}

/** What a guest that is to be SNP gets beside what every guest gets. */
export type SnpSettings = Pick<
  SnpProfile,
  | "policy"
  | "kernelHashes"
  | "idBlock"
  | "idAuth"
  | "authorKey"
  | "vcekDisabled"
  | "hostData"
  | "guestVisibleWorkarounds"
> &
  CBit;

/** As a value of `-machine …,confidential-guest-support=`. */
export const SNP_OBJECT_ID = "snp0";

/**
 * `-object sev-snp-guest,…`. What is left at QEMU's default is not said.
 * Source: SevSnpGuestProperties, SevCommonProperties in qapi/qom.json of QEMU 9.1
 * @param hasKernel  QEMU loads a kernel, whose hash can be measured
 */
export function snpObject(settings: SnpSettings, hasKernel: boolean): string {
  const { policy, cbitpos, reducedPhysBits, kernelHashes, authorKey, vcekDisabled } = settings;
  const given: readonly (readonly [property: string, value: string | undefined])[] = [
    ["id", SNP_OBJECT_ID],
    ["policy", `0x${policy.toString(16)}`],
    ["cbitpos", String(cbitpos)],
    ["reduced-phys-bits", String(reducedPhysBits)],
    ["kernel-hashes", kernelHashes && hasKernel ? "on" : undefined],
    ["id-block", settings.idBlock],
    ["id-auth", settings.idAuth],
    ["author-key-enabled", authorKey ? "on" : undefined],
    ["vcek-disabled", vcekDisabled ? "on" : undefined],
    ["host-data", settings.hostData],
    ["guest-visible-workarounds", settings.guestVisibleWorkarounds],
  ];
  const said = given.flatMap(([property, value]) =>
    value === undefined ? [] : [`${property}=${optionValue(value)}`],
  );
  return ["sev-snp-guest", ...said].join(",");
}
