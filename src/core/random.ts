/** A stream of uniform 32-bit integers and what is drawn from it; the same seed, the same values. */
export interface Random {
  /** Uniform integer in 0..2^32−1. */
  u32(): number;
  /** Uniform integer in 0..limit−1, without modulo bias. @param limit  1 to 2^32 */
  below(limit: number): number;
}

/**
 * xoshiro128** seeded by splitmix32: integers only, so the values are the same on every machine.
 * Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018.
 * @param seed  any integer; its low 32 bits count
 */
export function randomFrom(seed: number): Random {
  let mix = seed | 0;
  const splitmix = () => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix ^ (mix >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let a = splitmix();
  let b = splitmix();
  let c = splitmix();
  let d = splitmix();
  const rotl = (x: number, k: number) => (x << k) | (x >>> (32 - k));

  function u32(): number {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11);
    return result;
  }

  function below(limit: number): number {
    const bound = 0x100000000 - (0x100000000 % limit);
    let value = u32();
    while (value >= bound) value = u32();
    return value % limit;
  }

  return { u32, below };
}

/** The same values in random order (Fisher and Yates). */
export function shuffled<T>(values: readonly T[], random: Random): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = random.below(i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}
