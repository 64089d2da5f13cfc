// Documents that jobs create or delete, and whether jobs come back to them. The next job creates a document of another name, so such a
// name says nothing about what it needs.

import type { DocumentTouch } from './document-touches.ts';

/** Documents whose lives are kept. Of more, nothing is known. */
const MAX_DOCUMENTS = 20_000;
/** Milliseconds. What is touched within it may be the work of one build. */
const ONE_BUILD = 86_400_000;

interface Life {
  /** How often it was certainly created, and not updated. */
  creations: number;
  /** Whether it, or a document below it, was perhaps created or deleted. */
  changes: boolean;
  first_at: number;
  last_at: number;
}

/** Of the documents of one credential. */
export class DocumentLives {
  /** By the path of a document, also of one that has only touched documents below it. */
  readonly #lives = new Map<string, Life>();
  #isFull = false;

  add({ verbs, path }: DocumentTouch, at: number | undefined): void {
    const changes = verbs.includes('create') || verbs.includes('delete');
    for (let length = 2; length <= path.length; length += 2) {
      const document = path.slice(0, length);
      if (document.includes(null)) return;
      const life = this.#lifeOf(document.join('/'));
      if (!life) return;
      if (length === path.length && verbs.length === 1 && verbs[0] === 'create') life.creations += 1;
      life.changes ||= changes;
      life.first_at = Math.min(life.first_at, at ?? life.first_at);
      life.last_at = Math.max(life.last_at, at ?? life.last_at);
    }
  }

  /** @param path of documents; null stands for any name. @returns whether they were created or deleted, and perhaps never will be again */
  isOnce(path: readonly (string | null)[]): boolean {
    const found = path.includes(null) ? this.#matching(path) : [this.#lives.get(path.join('/'))];
    const lives = found.filter((life) => life !== undefined);
    if (lives.length === 0) return this.#isFull;
    if (!lives.some(({ changes }) => changes)) return false;
    const creations = lives.reduce((sum, life) => sum + life.creations, 0);
    const first = Math.min(...lives.map(({ first_at }) => first_at));
    const last = Math.max(...lives.map(({ last_at }) => last_at));
    return creations === 1 || !(last - first > ONE_BUILD);
  }

  #lifeOf(document: string): Life | undefined {
    const known = this.#lives.get(document);
    if (known) return known;
    if (this.#lives.size >= MAX_DOCUMENTS) {
      this.#isFull = true;
      return undefined;
    }
    const life: Life = { creations: 0, changes: false, first_at: Infinity, last_at: -Infinity };
    this.#lives.set(document, life);
    return life;
  }

  #matching(path: readonly (string | null)[]): Life[] {
    return [...this.#lives].flatMap(([document, life]) => {
      const names = document.split('/');
      const fits = names.length === path.length && path.every((name, index) => name === null || name === names[index]);
      return fits ? [life] : [];
    });
  }
}
