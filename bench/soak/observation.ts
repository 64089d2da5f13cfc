// What the generator writes down about a run, one JSON object a line: what could be seen from outside of the functions. Tokens
// and keys are in it by SHA-256 alone. All times are milliseconds since the epoch, of one machine's clock.

export type FunctionName = 'token' | 'webhook' | 'sweep';

/** How a client behaves: `slow` sends its form in pieces, `unfinished` never ends it, `hung_up` closes before the response. */
export type ClientKind = 'plain' | 'slow' | 'unfinished' | 'hung_up';

/** Why there is no response: no connection, a connection that ended, no time left, or the client itself hung up. */
export type RequestFailure = 'refused' | 'reset' | 'timed_out' | 'hung_up';

export type Operation =
  | 'issue'
  | 'issue_after_end'
  | 'wrong_job_token'
  | 'release'
  | 'introspect'
  | 'job_finished'
  | 'other_webhook'
  | 'forged_webhook'
  | 'sweep'
  | 'settling_sweep';

export interface RequestObservation {
  readonly type: 'request';
  readonly operation: Operation;
  readonly instance: string;
  readonly client: ClientKind;
  readonly sent: number;
  readonly ended: number;
  readonly status?: number;
  readonly failure?: RequestFailure;
  /** The member `error` of the response. */
  readonly error?: string;
  readonly job?: string;
  readonly credential?: string;
  /** Of an issued token: SHA-256, its grant, its end by the response, and what revocation the response names. */
  readonly token?: string;
  readonly grant?: string;
  readonly expires_at?: number;
  readonly revocation?: string;
  /** Of an introspection. */
  readonly active?: boolean;
  /** Of `job_finished`: how many revocations were left to the sweep. */
  readonly pending?: number;
}

/** A read of a grant's document by its id, begun when a token of it had arrived. */
interface RecordObservation {
  readonly type: 'record';
  readonly at: number;
  readonly grant: string;
  readonly token: string;
  /** Whether the document has the hash, and the end of the token in it. */
  readonly found: boolean;
  readonly expires_at?: number;
}

/** A use of a token, at the data database or at Google. */
interface ProbeObservation {
  readonly type: 'probe';
  readonly sent: number;
  readonly ended: number;
  readonly token: string;
  readonly grant: string;
  readonly job: string;
  readonly accepted: boolean;
}

export type Observation =
  | {
      readonly type: 'run';
      readonly at: number;
      readonly seed: number;
      readonly jobs: number;
      readonly minutes: number;
      readonly memory_limit_mib: number;
      readonly drain_ms: number;
      readonly pool: readonly string[];
    }
  | RequestObservation
  | RecordObservation
  | ProbeObservation
  | { readonly type: 'job'; readonly job: string; readonly event: 'started' | 'finished'; readonly at: number }
  /** A call that the fake Google received; `job` is the reason that the call names. */
  | {
      readonly type: 'google_call';
      readonly at: number;
      readonly method: string;
      readonly account: string;
      readonly job?: string;
      readonly fault?: string;
    }
  | { readonly type: 'google_mint'; readonly at: number; readonly account: string; readonly expires_at: number }
  | { readonly type: 'google_change'; readonly at: number; readonly account: string; readonly disabled: boolean }
  /** A request that the real Google would refuse as malformed or not permitted. */
  | { readonly type: 'google_unexpected'; readonly what: string }
  | {
      readonly type: 'process';
      readonly at: number;
      readonly instance: string;
      readonly event: 'started' | 'ready' | 'signalled' | 'exited';
      readonly signal?: string;
      readonly code?: number | null;
    }
  | { readonly type: 'memory'; readonly at: number; readonly instance: string; readonly rss_kib: number }
  | { readonly type: 'fault'; readonly where: string; readonly kind: string }
  /** The SHA-256 of what must be nowhere. */
  | { readonly type: 'secret'; readonly kind: string; readonly sha256: string }
  | { readonly type: 'settling'; readonly event: 'begun' | 'done' | 'out_of_time'; readonly at: number };

export function functionOf(instance: string): FunctionName {
  return instance.split('-')[0] as FunctionName;
}
