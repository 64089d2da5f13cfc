// Issues that are under way on this instance. Requests for one grant take turns, and identical ones share one issue: one
// reservation, one token, one record. Other instances know nothing of it: with them the ledger's conditional writes decide.

import type { Clock } from '../runtime/clock.ts';

/** Milliseconds that a request waits for its turn. */
const TURN_TIMEOUT_MS = 800;

interface Turn<T> {
  readonly key: string;
  readonly request_id: string;
  /** Whether identical requests may still share it. */
  readonly state: { open: boolean };
  readonly result: Promise<{ readonly result: T } | 'busy'>;
}

export class IssuesInProgress<T> {
  readonly #clock: Clock;
  /** By grant id, in the order of their turns. */
  readonly #queues = new Map<string, Turn<T>[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Issues when it is this request's turn, or shares what an identical request issues.
   * @param request.key equal for requests that may share: it must hold everything that the issue depends on
   * @param issue calls `close` before the first write after which an end of the grant could be missed: nobody joins later
   * @returns 'busy' when others took too long. `shared_with` is the id of the request that issued.
   */
  async share(
    request: { readonly grant_id: string; readonly key: string; readonly request_id: string },
    issue: (close: () => void) => Promise<T>,
  ): Promise<{ readonly result: T; readonly shared_with?: string } | 'busy'> {
    const { grant_id, key, request_id } = request;
    const queue = this.#queues.get(grant_id) ?? [];
    const shared = queue.find((turn) => turn.state.open && turn.key === key);
    if (shared) {
      const issued = await shared.result;
      return issued === 'busy' ? issued : { ...issued, shared_with: shared.request_id };
    }
    const state = { open: true };
    const earlier = queue.map(({ result }) => result);
    const close = () => {
      state.open = false;
    };
    const turn: Turn<T> = { key, request_id, state, result: this.#inTurn(earlier, () => issue(close)) };
    queue.push(turn);
    this.#queues.set(grant_id, queue);
    try {
      return await turn.result;
    } finally {
      queue.splice(queue.indexOf(turn), 1);
      if (queue.length === 0) this.#queues.delete(grant_id);
    }
  }

  async #inTurn(earlier: readonly Promise<unknown>[], issue: () => Promise<T>) {
    if (earlier.length > 0 && !(await this.#settledInTime(earlier))) return 'busy' as const;
    return { result: await issue() };
  }

  async #settledInTime(earlier: readonly Promise<unknown>[]): Promise<boolean> {
    const settled = new AbortController();
    const late = this.#clock.sleep(TURN_TIMEOUT_MS, settled.signal).then(
      () => false,
      () => false,
    );
    try {
      return await Promise.race([Promise.allSettled(earlier).then(() => true), late]);
    } finally {
      settled.abort('settled');
    }
  }
}
