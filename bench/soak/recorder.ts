// Appends what the generator sees and what the functions log to the run's folder. Buffered for a moment, in order.

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Observation } from './observation.ts';

export class Recorder {
  readonly #observations;
  readonly #lines;
  readonly #secrets = new Set<string>();

  constructor(folder: string) {
    this.#observations = createWriteStream(join(folder, 'observations.jsonl'));
    this.#lines = createWriteStream(join(folder, 'lines.jsonl'));
  }

  write(observation: Observation): void {
    this.#observations.write(`${JSON.stringify(observation)}\n`);
  }

  /** A line of standard output or standard error of a function. */
  line(instance: string, at: number, text: string): void {
    this.#lines.write(`${JSON.stringify({ instance, at, text })}\n`);
  }

  /** Notes by its hash what must be neither in the ledger nor in a log. @returns its SHA-256 */
  secret(kind: string, text: string): string {
    const hash = sha256(text);
    if (!this.#secrets.has(hash)) {
      this.#secrets.add(hash);
      this.write({ type: 'secret', kind, sha256: hash });
    }
    return hash;
  }

  async close(): Promise<void> {
    await Promise.all(
      [this.#observations, this.#lines].map((stream) => new Promise<void>((resolve) => stream.end(resolve))),
    );
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
