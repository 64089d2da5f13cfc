// What ends a grant. A webhook event that ends a job is added here and in webhook/event.ts.

/** Each cause, and whether the job has ended with the grant: then nothing is issued to that job any more. */
const END_CAUSES = {
  /** Buildkite's webhook event. */
  'job.finished': { endsJob: true },
  /** The sweep looked the job up at Buildkite. */
  'job.reconciled': { endsJob: true },
  /** The holder released it. */
  released: { endsJob: false },
  /** An operator ended it. */
  kill_switch: { endsJob: false },
  /** Its time was up. */
  expiry: { endsJob: false },
} as const;

export type EndCauseName = keyof typeof END_CAUSES;
export type JobEndCauseName = {
  [Name in EndCauseName]: (typeof END_CAUSES)[Name]['endsJob'] extends true ? Name : never;
}[EndCauseName];

export const END_CAUSE_NAMES = Object.keys(END_CAUSES) as EndCauseName[];
export const JOB_END_CAUSE_NAMES = END_CAUSE_NAMES.filter(endsJob);

export function endsJob(cause: EndCauseName): cause is JobEndCauseName {
  return END_CAUSES[cause].endsJob;
}
