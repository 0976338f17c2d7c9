import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCookie } from '../../../lib/data-plane/cookie.ts'

const cases: readonly (readonly [header: string | undefined, value: string | null])[] = [
  [undefined, null],
  ['', null],
  ['sid=1', '1'],
  ['a=b; sid=1', '1'],
  ['a=b;sid=1;c=d', '1'],
  ['a=b;   sid=1  ; c=d', '1'],
  ['sid=', ''],
  ['sid=a=b', 'a=b'],
  ['sid="1"', '"1"'],
  ['sid=1; sid=2', '1'],
  ['xsid=2; sid=1', '1'],
  ['sidx=2; sid=1', '1'],
  ['x=sid=2; sid=1', '1'],
  ['SID=1', null],
  ['sid', null],
  ['sid; x=1', null],
  ['sid =1', null],
  ['x=1; y=2', null],
  [';;; ;sid=1', '1'],
  ['; ', null],
  ['x="a; sid=1"', '1"']
]

for (const [header, value] of cases) {
  test(`reads ${value === null ? 'nothing' : `'${value}'`} from ${header === undefined ? 'no header' : `'${header}'`}`, () => {
    assert.equal(readCookie(header, 'sid'), value)
  })
}
