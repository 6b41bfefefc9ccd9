// Daemons and launchers are killed at random points, 1,000 rounds of it; a history checker then says
// whether ever more permits were in force than the cap, one was granted twice, or one was lost.
//   npx tsx bench/govern-faults.ts [rounds] [seed]
import { runGovernFaults } from "../test/fixtures/govern-faults.ts";

const [rounds = 1000, seed = 1] = process.argv.slice(2).map(Number);
console.log(`seed ${seed}, ${rounds} rounds`);
const { faults, ...counts } = await runGovernFaults(seed, rounds, (round) => {
  if (round % 50 === 0) process.stderr.write(`round ${round}\n`);
});
console.log(JSON.stringify(counts));
console.log(`${faults.length} faults`);
for (const fault of faults.slice(0, 20)) console.log(JSON.stringify(fault));
process.exit(faults.length === 0 ? 0 : 1);
