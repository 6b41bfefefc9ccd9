import type { Readable } from "node:stream";

/** How long a stream rests after a piece; what comes meanwhile is the next piece. */
const REST_MS = 1;

/**
 * Reads a stream whose writer writes byte by byte, as VMMs do with a serial line. A boot of Debian's
 * kernel with 2,500 bytes of console woke us 1,200 times and took 25 to 50 ms of our CPU time, which
 * its neighbours lacked; so it wakes us 60 times. The first piece after a silence comes at once, later
 * ones at most a millisecond late.
 * @param stream  buffers no more than it has been given (`withoutReadingAhead`), else pausing it
 * wakes nobody less
 */
export function readPaced(stream: Readable, onPiece: (piece: Buffer) => void): void {
  let rests = false;
  stream.on("data", (piece: Buffer) => {
    onPiece(piece);
    if (rests) return;
    rests = true;
    // What can be read in this turn of the event loop costs no waking.
    setImmediate(() => {
      stream.pause();
      setTimeout(() => {
        rests = false;
        stream.resume();
      }, REST_MS);
    });
  });
}
