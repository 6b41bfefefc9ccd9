import type { ServerResponse } from "node:http";

const CLIENTS_MAX = 64;
/** A client that lets more than this lie unread is cut off; it may come again. */
const UNREAD_BYTES_MAX = 1 << 20;

/** Server-sent events (WHATWG HTML, "server-sent events") to everybody who listens. */
export class EventStream {
  readonly #clients = new Set<ServerResponse>();
  #nextId = 1;

  get clients(): number {
    return this.#clients.size;
  }

  /** @returns whether there was room */
  add(response: ServerResponse): boolean {
    if (this.#clients.size >= CLIENTS_MAX) return false;
    this.#clients.add(response);
    response.on("close", () => this.#clients.delete(response));
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write("retry: 1000\n\n");
    return true;
  }

  /** @param data  asked for only where somebody listens */
  send(kind: string, data: () => unknown): void {
    const id = this.#nextId++;
    if (this.#clients.size === 0) return;
    const text = `id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify(data())}\n\n`;
    for (const client of this.#clients) {
      if (client.writableLength > UNREAD_BYTES_MAX) client.destroy();
      else client.write(text);
    }
  }

  close(): void {
    for (const client of this.#clients) client.end();
  }
}
