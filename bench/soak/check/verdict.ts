// The form of what a check returns.

export interface Judged {
  /** How many things were judged. A check that judged nothing has shown nothing. */
  readonly judged: number;
  /** One sentence for each violation. */
  readonly findings: readonly string[];
  /** What is no violation, and is counted so that nobody overlooks it. */
  readonly notes?: Readonly<Record<string, number>>;
}

export interface Verdict extends Judged {
  readonly name: string;
  readonly claim: string;
}

/** Collects findings, and keeps count of what was judged. */
export class Judgement {
  judged = 0;
  readonly findings: string[] = [];
  readonly notes: Record<string, number> = {};

  /** @param holds whether it is as it must be; @param finding says what is wrong */
  expect(holds: boolean, finding: () => string): void {
    this.judged += 1;
    if (!holds) this.findings.push(finding());
  }

  note(name: string): void {
    this.notes[name] = (this.notes[name] ?? 0) + 1;
  }
}

/** A time as people read it, to the millisecond. */
export function at(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(11, 23);
}
