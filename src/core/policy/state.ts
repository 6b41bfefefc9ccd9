import { BootstormError, EXIT } from "../error.ts";
import type { PolicyState } from "./policy.ts";

/** The version of all states of this folder. A change of one of them raises it. */
export const STATE_VERSION = 1;

/**
 * The state as its policy wrote it.
 * @throws BootstormError POLICY_STATE when another policy or a later version wrote it
 */
export function ownState<State>(policy: string, state: PolicyState): State {
  if (state.policy !== policy) {
    throw badState(`it is of policy ${JSON.stringify(state.policy)}, not ${policy}`);
  }
  if (state.version !== STATE_VERSION) {
    throw badState(`it has version ${state.version}; version ${STATE_VERSION} can be read`);
  }
  return state as unknown as State; // Written by `snapshot` of the same policy and version.
}

export function badState(why: string): BootstormError {
  return new BootstormError("POLICY_STATE", "cannot restore the state of a policy", {
    why,
    exit: EXIT.input,
  });
}
