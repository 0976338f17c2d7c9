import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EditHeaders } from '../../../../lib/data-plane/transform/header-edits.ts'
import type { HeaderEdits } from '../../../../types/options.ts'
import { exchangeWith } from '../../samples.ts'

const rows: readonly (readonly [what: string, edits: HeaderEdits, sent: Record<string, string | string[]>])[] = [
  ['removes, whatever the case', { remove: ['A', 'none'] }, { list: ['1', '2'] }],
  ['sets', { set: { A: 'new', B: 'b' } }, { a: 'new', list: ['1', '2'], b: 'b' }],
  ['sets what a function gives', { set: { a: ({ method }) => method } }, { a: 'GET', list: ['1', '2'] }],
  ['leaves alone what a function gives nothing for', { set: { a: () => undefined }, append: { a: () => undefined } }, { a: 'x', list: ['1', '2'] }],
  ['appends to nothing, to one and to several', { append: { B: 'b', A: 'y', List: '3' } }, { a: ['x', 'y'], list: ['1', '2', '3'], b: 'b' }],
  ['removes, then sets, then appends', { append: { a: 'z' }, set: { a: 'y' }, remove: ['a'] }, { a: ['y', 'z'], list: ['1', '2'] }]
]

for (const [what, edits, sent] of rows) {
  test(what, () => {
    const list = ['1', '2']
    const head = { headers: { a: 'x', list } as Record<string, string | string[]> }
    new EditHeaders(edits, 'request').apply(head, exchangeWith())
    assert.deepEqual(head.headers, sent)
    assert.deepEqual(list, ['1', '2'])
  })
}
