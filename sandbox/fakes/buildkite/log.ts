// The output of one job: as it was, and as the job's log has it, without the secrets that the job's redactor knows.
// Source: buildkite/agent, internal/redact/redact.go.

import { readFileSync } from 'node:fs';
import * as z from 'zod';

/** Values of variables whose names match are kept out of the log when they have 6 bytes or more: the agent's default. */
const SECRET_NAME = /_(PASSWORD|SECRET|TOKEN|PRIVATE_KEY|SSH_KEY|ACCESS_KEY|SECRET_KEY|CONNECTION_STRING|API_KEY)$/;

/** @param redactor the file into which `buildkite-agent redactor add` writes */
export class JobLog {
  raw = '';
  redacted = '';
  #phase = '';
  #closed = false;
  readonly #redactor: string;
  readonly #waiting: { text: string; resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(redactor: string) {
    this.#redactor = redactor;
  }

  take(chunk: string): void {
    this.raw += chunk;
    this.#phase += chunk;
    for (const { text, resolve } of this.#waiting) if (this.raw.includes(text)) resolve();
  }

  endPhase(environment: Readonly<Record<string, string>>): void {
    const added = readFileSync(this.#redactor, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => z.string().parse(JSON.parse(line)));
    const named = Object.entries(environment)
      .filter(([name, value]) => SECRET_NAME.test(name) && Buffer.byteLength(value) >= 6)
      .map(([, value]) => value);
    const secrets = [...added, ...named].filter(Boolean).sort((a, b) => b.length - a.length);
    this.redacted += secrets.reduce((text, secret) => text.replaceAll(secret, '[REDACTED]'), this.#phase);
    this.#phase = '';
  }

  saw(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.raw.includes(text)) resolve();
      else if (this.#closed) reject(this.#neverSaw(text));
      else this.#waiting.push({ text, resolve, reject });
    });
  }

  close(): void {
    this.#closed = true;
    for (const { text, reject } of this.#waiting) reject(this.#neverSaw(text));
  }

  #neverSaw(text: string): Error {
    return new Error(`the step ended without printing ${JSON.stringify(text)}; it printed:\n${this.raw}`);
  }
}
