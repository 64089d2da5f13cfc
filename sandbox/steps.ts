// The steps of what the sandbox plays: each compares a response with the expected one.

import { hideTokens, parse } from './curl.ts';

export interface Step {
  readonly title: string;
  readonly shown: string;
  /** Of an HTTP response, or `exit 1` of a command. */
  readonly status: number | string;
  readonly body: string;
  /** The message of the request's log line, where the log says more than the response. */
  readonly logged?: string;
  /** What was expected and did not happen; undefined when the step passed. */
  readonly problem: string | undefined;
}

export interface StepReport {
  readonly title: string;
  /** The request, as a person writes it. */
  readonly shown: string;
  readonly response: Pick<Step, 'status' | 'body'>;
  /** What must be true, by its name. */
  readonly expected: Readonly<Record<string, boolean>>;
  /** A line of the functions' log. */
  readonly line?: string;
}

export class Steps {
  /** Whether all steps passed. */
  succeeded = true;
  readonly #onStep: (step: Step) => void;

  constructor(onStep: (step: Step) => void) {
    this.#onStep = onStep;
  }

  readonly report = ({ title, shown, response, expected, line }: StepReport): void => {
    const unmet = Object.entries(expected).filter(([, met]) => !met);
    const problem = unmet.length > 0 ? unmet.map(([expectation]) => expectation).join('; ') : undefined;
    this.succeeded &&= problem === undefined;
    const logged = line === undefined ? {} : { logged: String(parse(line).message) };
    const { status, body } = response;
    this.#onStep({ title, shown, status, body: hideTokens(body), ...logged, problem });
  };
}
