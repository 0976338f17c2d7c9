import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/* Loaded ahead of a contender (--import): tells what it holds, garbage apart. */
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

process.on('message', async (question) => {
  if (question !== 'held') return
  // What the first one finds to be garbage may be freed by others, later.
  for (let turn = 0; turn < 5; turn++) {
    collectGarbage()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { heapUsed, external } = process.memoryUsage()
  process.send!(heapUsed + external)
})
// It is asked; it does not keep the process.
process.channel?.unref()
