// A list in parts of a size that somebody else takes. Pure.

export function* chunksOf<T>(size: number, all: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += size) yield all.slice(from, from + size);
}
