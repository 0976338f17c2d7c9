import assert from 'node:assert/strict'
import { test } from 'node:test'
import { launch } from '../helpers/program.ts'

/* pool/http2-handles.ts leans on this in Node: the native parts of sessions and streams, and the order in which they are collected. */

test('Node ends a process in which a session that failed over half a head is collected', async (t) => {
  const program = launch(t, 'test/contract/collected-session.js', ['left'])

  await program.exited

  // Should Node mend it: `keepUntilCollected` and all that calls it can go.
  assert.match(program.stderr, /current_nghttp2_memory_/)
})

test('it does not where the handle of the session is kept until that of the stream is collected', async (t) => {
  const program = launch(t, 'test/contract/collected-session.js', ['kept'])

  assert.deepEqual([await program.exited, program.stdout], [0, 'survived\n'], program.stderr)
})
