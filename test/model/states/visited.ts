// The states that a search has seen, by 64 bits of a hash each: with ten million states, two of them share one with a probability of
// about 3 in a million, and then a state would be left out.

const FIRST_CAPACITY = 1 << 16;

export class Visited {
  #high = new Uint32Array(FIRST_CAPACITY);
  #low = new Uint32Array(FIRST_CAPACITY);
  size = 0;

  /** Whether the key is new. From now on it is not. */
  add(key: string): boolean {
    const [high, low] = hash(key);
    if (this.#insert(high, low)) {
      this.size += 1;
      if (this.size * 2 > this.#high.length) this.#grow();
      return true;
    }
    return false;
  }

  has(key: string): boolean {
    const [high, low] = hash(key);
    return this.#placeOf(high, low).found;
  }

  #placeOf(high: number, low: number): { readonly at: number; readonly found: boolean } {
    const mask = this.#high.length - 1;
    let at = low & mask;
    while (this.#high[at] !== 0 || this.#low[at] !== 0) {
      if (this.#high[at] === high && this.#low[at] === low) return { at, found: true };
      at = (at + 1) & mask;
    }
    return { at, found: false };
  }

  #insert(high: number, low: number): boolean {
    const { at, found } = this.#placeOf(high, low);
    if (found) return false;
    this.#high[at] = high;
    this.#low[at] = low;
    return true;
  }

  #grow(): void {
    const [high, low] = [this.#high, this.#low];
    this.#high = new Uint32Array(high.length * 2);
    this.#low = new Uint32Array(high.length * 2);
    for (let at = 0; at < high.length; at += 1)
      if (high[at] !== 0 || low[at] !== 0) this.#insert(high[at] ?? 0, low[at] ?? 0);
  }
}

/** Two words of 32 bits, never both zero. Multiplies by odd constants and mixes, as MurmurHash3 does. */
function hash(key: string): [number, number] {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let at = 0; at < key.length; at += 1) {
    const code = key.charCodeAt(at);
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909);
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909);
  return [high >>> 0, (low | 1) >>> 0];
}
