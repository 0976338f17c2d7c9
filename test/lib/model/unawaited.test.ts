import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { unawaited } from '../../../lib/model/unawaited.ts'

test('work that nobody waits for ends in a warning of the process, once for each kind, and never in an unhandled rejection', async (t) => {
  const warnings: string[] = []
  const onWarning = ({ name, message }: Error): void => { warnings.push(`${name}: ${message}`) }
  let unhandled = 0
  const onRejection = (): void => { unhandled++ }
  process.on('warning', onWarning).on('unhandledRejection', onRejection)
  t.after(() => { process.off('warning', onWarning).off('unhandledRejection', onRejection) })

  unawaited('one thing', Promise.reject(new Error('first')))
  unawaited('one thing', Promise.reject(new Error('second')))
  unawaited('another thing', Promise.reject(new TypeError('third')))
  unawaited('a third thing', Promise.resolve())
  unawaited('a fourth thing', Promise.reject(Object.create(null)))
  await new Promise((resolve) => { setTimeout(resolve, 20) })

  assert.deepEqual(warnings, [
    'SluiceWarning: one thing failed: Error: first',
    'SluiceWarning: another thing failed: TypeError: third',
    'SluiceWarning: a fourth thing failed: without a text'
  ])
  assert.equal(unhandled, 0)
})
