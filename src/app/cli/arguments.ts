// Turns the text of flags into values, with messages that name flag, value and limit.
import { InvalidArgumentError } from "commander";

/** A commander parser for a whole number within limits. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`'${text}' is not a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** A commander parser for a number within limits, such as seconds or percent. */
export function numberWithin(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= least && value <= most)) {
      throw new InvalidArgumentError(`'${text}' is not a number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** A commander parser for a list such as `1,2,4`; doubles are dropped, order is ascending. */
export function numberList(least: number, most: number): (text: string) => number[] {
  const one = wholeNumber(least, most);
  return (text) =>
    [...new Set(text.split(",").map((part) => one(part.trim())))].sort((a, b) => a - b);
}

/** A commander parser for one of a few words. */
export function oneOf<T extends string>(...words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((each) => each === text);
    if (word === undefined) {
      throw new InvalidArgumentError(`'${text}' is none of ${words.join(", ")}.`);
    }
    return word;
  };
}

/** A commander parser for the name of a file to write. */
export function fileName(text: string): string {
  if (text === "") throw new InvalidArgumentError("the name of a file is needed.");
  return text;
}
