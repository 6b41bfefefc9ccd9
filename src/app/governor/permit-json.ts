import { explainPermit } from "../../core/govern/explain.ts";
import type { Ledger } from "../../core/govern/ledger.ts";
import type { Permit } from "../../core/govern/permit.ts";

/** Permits as clients see them: numbers in ms, ids that no other state gives again. */
export class PermitJson {
  readonly #epoch: string;
  readonly #ledger: Ledger;
  readonly #nowNs: () => number;

  constructor(epoch: string, ledger: Ledger, nowNs: () => number) {
    this.#epoch = epoch;
    this.#ledger = ledger;
    this.#nowNs = nowNs;
  }

  /** @param position  of a waiting one, where it is known; counting takes a look at all that wait */
  of(permit: Permit, position?: number): Readonly<Record<string, unknown>> {
    const { ask, state, how, askedNs, grantedNs, endedNs, leaseEndsNs } = permit;
    const nowNs = this.#nowNs();
    const { id, key, vm, tenant, priority, memoryMiB, vcpus, holder } = ask;
    const waitNs = position === undefined ? undefined : this.#ledger.expectedWaitNs(position);
    return {
      id: `${this.#epoch}-${id}`,
      key,
      vm,
      state,
      waitedMs: toMs((grantedNs ?? endedNs ?? nowNs) - askedNs),
      ...(state === "granted" ? { leaseExpiresInMs: toMs(leaseEndsNs! - nowNs) } : {}),
      ...(position === undefined ? {} : { position }),
      ...(waitNs === undefined ? {} : { expectedWaitMs: toMs(waitNs) }),
      ...(how === undefined ? {} : { how }),
      tenant,
      priority,
      ...(memoryMiB === undefined ? {} : { memoryMiB }),
      ...(vcpus === undefined ? {} : { vcpus }),
      ...(holder === undefined ? {} : { holder }),
      why: explainPermit(permit, nowNs, this.#ledger.heldUntilNs),
    };
  }

  /** @returns undefined for what is no id of this state */
  number(id: string): number | undefined {
    const [epoch, number = "", ...rest] = id.split("-");
    if (epoch !== this.#epoch || rest.length > 0 || !/^\d{1,15}$/.test(number)) return undefined;
    return Number(number);
  }
}

function toMs(ns: number): number {
  return Math.max(0, Math.round(ns / 1000) / 1000);
}
