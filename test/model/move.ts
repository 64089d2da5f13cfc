// One move of a history. Most begin something and do not wait for it.

import type * as fc from 'fast-check';
import type { Deployment } from './deployment.ts';
import type { Operations } from './operations.ts';

export interface Real {
  readonly deployment: Deployment;
  readonly operations: Operations;
}

export type Model = Record<string, never>;

export class Move implements fc.AsyncCommand<Model, Real> {
  readonly #name: string;
  readonly #make: (real: Real) => void | Promise<void>;

  constructor(name: string, make: (real: Real) => void | Promise<void>) {
    this.#name = name;
    this.#make = make;
  }

  check(): boolean {
    return true;
  }

  async run(_: Model, real: Real): Promise<void> {
    const { world } = real.deployment;
    world.throwIfViolated();
    await this.#make(real);
    world.throwIfViolated();
  }

  toString(): string {
    return this.#name;
  }
}
