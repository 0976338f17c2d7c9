import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { fuzz } from '../fuzz/run.ts'

// The long run is `npm run fuzz`. The same cases every time here: what fails can be had again.
const seed = Number(process.env['SLUICE_FUZZ_SEED'] ?? 20261121)

test('whatever bytes come from either side: nothing crashes, hangs, is answered twice, is sent on twice or in two meanings, or is left behind', async (t) => {
  t.diagnostic(`seed ${seed}`)

  const { faults, seen, responses } = await fuzz({ seed, requests: 400, answers: 400 })

  assert.deepEqual(faults, [])
  // And not because nothing got through.
  assert.ok(seen > 500 && responses > 700, `${seen} requests were seen, ${responses} answered`)
})
