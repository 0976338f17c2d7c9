import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { editNextText } from '../../../../lib/data-plane/pool/next-text.ts'

test('edits the next text, and passes bytes and everything behind it as they are', () => {
  const written: unknown[][] = []
  const write = (...args: unknown[]): boolean => {
    written.push(args)
    return true
  }
  const socket = { write } as unknown as Socket

  editNextText(socket, (text) => text.toUpperCase())
  const bytes = Buffer.from('bytes')
  socket.write(bytes)
  socket.write('text', 'latin1')
  socket.write('next')

  assert.deepEqual(written, [[bytes], ['TEXT', 'latin1'], ['next']])
  assert.equal(socket.write, write)
})
