import assert from 'node:assert/strict'

const MIB = 1024 * 1024
const TRIES = 4

/**
 * In the best of a few tries, each from the beginning: what is held grows each time, while garbage waits for a collector that has no
 * time, on other threads than this one, where the cores are taken.
 * @param run measures one, in bytes
 */
export async function assertGrowsLess (limit: number, run: () => Promise<number>): Promise<void> {
  const taken: string[] = []
  for (let tries = 0; tries < TRIES; tries++) {
    const grown = await run()
    if (grown < limit) return
    taken.push((grown / MIB).toFixed(1))
  }
  assert.fail(`never less than ${limit / MIB} MiB: ${taken.join(', ')}`)
}
