/**
 * Moves labels apart along one axis until each has its room, as little as that takes, and keeps them
 * between the ends. When there are more than fit, they are spread evenly and will touch.
 * @param wanted  where each label would like its middle
 * @param gap  the least distance between two middles
 * @returns a place for each label, in the order given; the order along the axis is kept
 */
export function spreadLabels(
  wanted: readonly number[],
  gap: number,
  low: number,
  high: number,
): readonly number[] {
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a]! - wanted[b]!);
  const room = order.length > 1 ? Math.min(gap, (high - low) / (order.length - 1)) : gap;
  const places = new Array<number>(wanted.length).fill(low);
  // Labels that touch form a block around the mean of what they want; blocks that meet merge.
  const blocks: { members: number[]; start: number }[] = [];
  for (const index of order) {
    let block = { members: [index], start: clamp(wanted[index]!, low, high) };
    for (let before = blocks.at(-1); before !== undefined; before = blocks.at(-1)) {
      if (before.start + before.members.length * room <= block.start) break;
      blocks.pop();
      block = placed([...before.members, ...block.members]);
    }
    blocks.push(block);
  }
  for (const { members, start } of blocks) {
    members.forEach((index, rank) => {
      places[index] = start + rank * room;
    });
  }
  return places;

  function placed(members: number[]): { members: number[]; start: number } {
    const firstPlaces = members.map((index, rank) => wanted[index]! - rank * room);
    const mean = firstPlaces.reduce((sum, one) => sum + one, 0) / members.length;
    return { members, start: clamp(mean, low, high - (members.length - 1) * room) };
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high));
}
