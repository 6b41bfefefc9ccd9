// Reads the fields of a value that came as JSON from anybody: each is checked and bounded, so that what
// was read can be used without further checks.

/** What is wrong with a value, in words that do not depend on it: they are counted. */
export class Unreadable extends Error {}

export type Fields = Readonly<Record<string, unknown>>;

/**
 * @param what  how a complaint names the value
 * @throws Unreadable, as all below
 */
export function recordOf(value: unknown, what: string): Fields {
  if (!isRecord(value)) throw new Unreadable(`${what}: not an object`);
  return value;
}

export function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function listOf(fields: Fields, key: string, max: number): readonly unknown[] {
  const value = fields[key];
  if (!Array.isArray(value)) throw new Unreadable(`${key}: not a list`);
  if (value.length > max) throw new Unreadable(`${key}: too many`);
  return value;
}

export function textOf(fields: Fields, key: string, charsMax: number): string {
  return boundedText(fields[key], key, charsMax);
}

/** A list of texts, none longer than so many characters. */
export function textsOf(fields: Fields, key: string, max: number, charsMax: number): string[] {
  return listOf(fields, key, max).map((text) => boundedText(text, key, charsMax));
}

export function boundedText(value: unknown, key: string, charsMax: number): string {
  if (typeof value !== "string") throw new Unreadable(`${key}: not a text`);
  if (value.length > charsMax) throw new Unreadable(`${key}: too long`);
  return value;
}

/** A whole number from 0 on: a count, nanoseconds or bytes. */
export function countOf(fields: Fields, key: string): number {
  const value = amountOf(fields, key);
  if (!Number.isSafeInteger(value)) throw new Unreadable(`${key}: not a whole number`);
  return value;
}

export function amountOf(fields: Fields, key: string): number {
  const value = fields[key];
  if (typeof value !== "number") throw new Unreadable(`${key}: not a number`);
  if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) {
    throw new Unreadable(`${key}: out of range`);
  }
  return value;
}

/** A whole number that something is divided by, or that is nothing without one. */
export function positiveOf(fields: Fields, key: string): number {
  const value = countOf(fields, key);
  if (value === 0) throw new Unreadable(`${key}: none`);
  return value;
}

export function decimalOf(fields: Fields, key: string): string {
  const value = fields[key];
  if (typeof value !== "string" || !/^\d{1,20}$/.test(value)) {
    throw new Unreadable(`${key}: not a decimal number as text`);
  }
  return value;
}

export function flagOf(fields: Fields, key: string): boolean {
  const value = fields[key];
  if (typeof value !== "boolean") throw new Unreadable(`${key}: neither true nor false`);
  return value;
}

export function oneOf<Word extends string>(
  fields: Fields,
  key: string,
  words: readonly Word[],
): Word {
  const word = words.find((each) => each === fields[key]);
  if (word === undefined) throw new Unreadable(`${key}: not a word we know`);
  return word;
}

/** The key with what `parse` makes of it, or nothing where the key is absent. */
export function optional<Key extends string, Value>(
  fields: Fields,
  key: Key,
  parse: (key: Key) => Value,
): { readonly [K in Key]?: Value } {
  if (fields[key] === undefined) return {};
  return { [key]: parse(key) } as { readonly [K in Key]?: Value };
}
