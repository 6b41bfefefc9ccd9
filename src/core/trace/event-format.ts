// Reads what the kernel says of an event's layout, events/lock/contention_begin/format:
//
//   name: contention_begin
//   ID: 408
//   format:
//   	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
//   	field:void * lock_addr;	offset:8;	size:8;	signed:0;

export interface EventFormat {
  readonly id: number;
  readonly name: string;
  readonly fields: ReadonlyMap<string, FieldFormat>;
}

export interface FieldFormat {
  readonly offset: number;
  readonly size: number;
}

//                  type and name, an array's length after it      offset          size
const FIELD = /^\s*field:[^;]*?(\w+)(?:\[[^\]]*\])?;\s*offset:(\d+);\s*size:(\d+);/;

/** @returns undefined when the text has no name or number */
export function parseEventFormat(text: string): EventFormat | undefined {
  const name = /^name: (\S+)$/m.exec(text)?.[1];
  const id = /^ID: (\d+)$/m.exec(text)?.[1];
  if (name === undefined || id === undefined) return undefined;
  const fields = new Map<string, FieldFormat>();
  for (const line of text.split("\n")) {
    const match = FIELD.exec(line);
    if (match) fields.set(match[1]!, { offset: Number(match[2]), size: Number(match[3]) });
  }
  return { id: Number(id), name, fields };
}
