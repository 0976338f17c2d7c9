import process from 'node:process'
import { parseArgs } from 'node:util'
import { fuzz } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    requests: { type: 'string', default: '100000' },
    answers: { type: 'string', default: '100000' },
    corpus: { type: 'string' },
    'at-once': { type: 'string', default: '128' }
  }
})
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
console.log(`seed ${seed}: npm run fuzz -- --seed ${seed} is this run again`)

const report = await fuzz({
  seed,
  requests: Number(values.requests),
  answers: Number(values.answers),
  atOnce: Number(values['at-once']),
  ...(values.corpus !== undefined && { corpus: values.corpus }),
  say: (line) => { console.log(line) }
})

const { faults, ...figures } = report
console.log(JSON.stringify(figures))
for (const fault of faults.slice(0, 20)) console.error(`✖ ${fault}`)
console.log(faults.length === 0 ? `clean: ${report.corpus + report.requests + report.answers} cases in ${(report.seconds / 60).toFixed(1)} minutes` : `${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
