/** A grid of dots that prints as characters, one cell of several dots each. */
export interface DotCanvas {
  /** Dots across and down; (0, 0) is the top left one. */
  readonly width: number;
  readonly height: number;
  /** Dots outside the grid are ignored. */
  dot(x: number, y: number): void;
  /** @returns the character of a cell; a space where no dot is set */
  cell(column: number, row: number): string;
}

/**
 * Two by four dots a cell, as braille patterns.
 * Source: The Unicode Standard 15.0, block U+2800: dots 1–8 are the bits 0–7 of the code point.
 */
export function brailleCanvas(columns: number, rows: number): DotCanvas {
  const bits = [
    [0x01, 0x08],
    [0x02, 0x10],
    [0x04, 0x20],
    [0x40, 0x80],
  ];
  return dotCanvas(columns, rows, bits, (pattern) => String.fromCharCode(0x2800 + pattern));
}

/** One dot a cell, for terminals without Unicode. */
export function asciiCanvas(columns: number, rows: number): DotCanvas {
  return dotCanvas(columns, rows, [[1]], () => ".");
}

/** Sets the dots of a straight line. @param every  2 draws every second dot, and so on */
export function drawLine(
  canvas: DotCanvas,
  from: { readonly x: number; readonly y: number },
  to: { readonly x: number; readonly y: number },
  every = 1,
): void {
  const steps = Math.max(1, Math.round(Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y))));
  for (let step = 0; step <= steps; step += every) {
    const part = step / steps;
    canvas.dot(
      Math.round(from.x + (to.x - from.x) * part),
      Math.round(from.y + (to.y - from.y) * part),
    );
  }
}

function dotCanvas(
  columns: number,
  rows: number,
  bits: readonly (readonly number[])[],
  characterOf: (pattern: number) => string,
): DotCanvas {
  const [down, across] = [bits.length, bits[0]!.length];
  const cells = new Uint8Array(columns * rows);
  const [width, height] = [columns * across, rows * down];
  return {
    width,
    height,
    dot(x, y) {
      if (x < 0 || y < 0 || x >= width || y >= height) return;
      const cell = Math.floor(y / down) * columns + Math.floor(x / across);
      cells[cell]! |= bits[y % down]![x % across]!;
    },
    cell(column, row) {
      const pattern = cells[row * columns + column]!;
      return pattern === 0 ? " " : characterOf(pattern);
    },
  };
}
