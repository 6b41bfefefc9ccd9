import { INERT } from "./inert.ts";
import {
  ADMIT,
  type Ask,
  type Decision,
  type Grant,
  type Policy,
  type PolicyState,
} from "./policy.ts";
import { badState, ownState, STATE_VERSION } from "./state.ts";

interface Passing {
  readonly ask: Ask;
  /** Index of the policy it waits for. */
  at: number;
}

type State = {
  readonly members: readonly PolicyState[];
  readonly passing: readonly { readonly ask: Ask; readonly at: number }[];
};

/** An ask passes all policies, one after the other, and takes from each what it gives. */
export function createChain(members: readonly Policy[]): Policy {
  const passing = new Map<number, Passing>();

  function decide(ask: Ask, nowNs: number): Decision {
    for (let at = 0; at < members.length; at += 1) {
      const decision = members[at]!.decide(ask, nowNs);
      if (decision === ADMIT) continue;
      passing.set(ask.id, { ask: { ...ask }, at });
      return decision;
    }
    return ADMIT;
  }

  function ready(nowNs: number): Grant | undefined {
    for (let at = 0; at < members.length; at += 1) {
      const member = members[at]!;
      for (let grant = member.ready(nowNs); grant !== undefined; grant = member.ready(nowNs)) {
        if (goOn(passing.get(grant.id)!, nowNs)) return grant;
      }
    }
    return undefined;
  }

  /** @returns whether it has passed the last policy */
  function goOn(passer: Passing, nowNs: number): boolean {
    for (passer.at += 1; passer.at < members.length; passer.at += 1) {
      if (members[passer.at]!.decide(passer.ask, nowNs) !== ADMIT) return false;
    }
    passing.delete(passer.ask.id);
    return true;
  }

  function leave(id: number, how: "gave-up" | "went-ahead", nowNs: number): void {
    const passer = passing.get(id);
    if (passer === undefined) return;
    passing.delete(id);
    members[passer.at]!.leave(id, how, nowNs);
    if (how === "gave-up")
      for (const before of members.slice(0, passer.at)) before.release(id, nowNs);
    else for (const after of members.slice(passer.at + 1)) insist(after, passer.ask, nowNs);
  }

  /** It goes ahead: the later policies are charged too. */
  function insist(member: Policy, ask: Ask, nowNs: number): void {
    if (member.decide(ask, nowNs) !== ADMIT) member.leave(ask.id, "went-ahead", nowNs);
  }

  function restore({ members: saved, passing: passers }: State): void {
    if (saved.length !== members.length) {
      throw badState(`it has ${saved.length} policies; this chain has ${members.length}`);
    }
    members.forEach((member, i) => {
      member.restore(saved[i]!);
    });
    for (const { ask, at } of passers) passing.set(ask.id, { ask, at });
  }

  return {
    ...INERT,
    name: "chain",
    decide,
    ready,
    wakeNs: () => {
      let firstNs = members[0]!.wakeNs();
      for (let i = 1; i < members.length; i += 1) {
        firstNs = Math.min(firstNs, members[i]!.wakeNs());
      }
      return firstNs;
    },
    release: (id, nowNs) => {
      for (const member of members) member.release(id, nowNs);
    },
    leave,
    observe: (sample, nowNs) => {
      for (const member of members) member.observe(sample, nowNs);
    },
    plan: (guest) => members.reduce((plan, member) => member.plan(plan), guest),
    gauges: () =>
      Object.fromEntries(
        members.flatMap((member, i) =>
          Object.entries(member.gauges()).map(([key, value]) => [
            `${i}.${member.name}.${key}`,
            value,
          ]),
        ),
      ),
    snapshot: () => ({
      policy: "chain",
      version: STATE_VERSION,
      members: members.map((member) => member.snapshot()),
      passing: [...passing.values()].map(({ ask, at }) => ({ ask: { ...ask }, at })),
    }),
    restore: (state) => restore(ownState<State>("chain", state)),
  };
}
