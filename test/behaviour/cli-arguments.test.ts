import assert from 'node:assert/strict'
import test from 'node:test'
import { parseArguments } from '../../lib/cli/arguments.ts'
import { ConfigError } from '../../lib/index.ts'

test('a command line is read as what it says, and the rest has the defaults of --help', () => {
  const read: [line: string, command: object][] = [
    ['--to http://a:1', { name: 'serve', to: 'http://a:1', port: 3000, host: '127.0.0.1' }],
    ['--to=https://a/base --port=0 --host=::1', { name: 'serve', to: 'https://a/base', port: 0, host: '::1' }],
    ['--to unix:/run/app.sock', { name: 'serve', to: 'unix:/run/app.sock', port: 3000, host: '127.0.0.1' }],
    ['--port 65535 --to http://a', { name: 'serve', to: 'http://a', port: 65535, host: '127.0.0.1' }],
    ['--config proxy.json --host 0.0.0.0', { name: 'serve', config: 'proxy.json', port: 3000, host: '0.0.0.0' }],
    ['--config=-', { name: 'serve', config: '-', port: 3000, host: '127.0.0.1' }],
    ['--help', { name: 'help' }],
    ['-h', { name: 'help' }],
    ['--to nonsense --help --version', { name: 'help' }],
    ['--version', { name: 'version' }],
    ['-v', { name: 'version' }]
  ]
  for (const [line, command] of read) assert.deepEqual(parseArguments(line.split(' ')), command, line)
})

test('every problem of a command line is told at once, by flag', () => {
  const wrong: [line: string, problems: [path: string, message: RegExp][]][] = [
    ['', [['--to', /^is required, unless --config is given/]]],
    ['--to http://a --config b.json', [['--to', /^cannot be given with --config$/]]],
    ['--to localhost:8080', [['--to', /^must be an http or https URL .*, not 'localhost:8080'$/]]],
    ['--to unix:app.sock', [['--to', /or a Unix socket, such as 'unix:\/run\/app\.sock', not/]]],
    ['--to ftp://a', [['--to', /^must be an http or https URL/]]],
    ['--to http://a?b', [['--to', /without query/]]],
    ['--to', [['--to', /^needs a value$/]]],
    ['--to= --port 1', [['--to', /^needs a value$/]]],
    ['--to --port 1', [['--to', /^needs a value$/], ['1', /^belongs to no option$/]]],
    ['--to http://a --to http://b', [['--to', /^is given twice$/]]],
    ['--to http://a --port 65536', [['--port', /^must be a number from 0 to 65535, not '65536'$/]]],
    ['--to http://a --port 3e3', [['--port', /not '3e3'$/]]],
    ['--to http://a --prot 1', [['--prot', /^is not an option; did you mean '--port'\?$/], ['1', /^belongs to no option$/]]],
    ['--to http://a -p', [['-p', /^is not an option$/]]],
    ['--to http://a --help=no', [['--help', /^takes no value$/]]],
    ['serve --to http://a', [['serve', /^belongs to no option$/]]],
    ['--to http://a -- more', [['more', /^belongs to no option$/]]],
    ['--constructor --to x --port x', [['--constructor', /^is not an option/], ['--to', /must be/], ['--port', /must be/]]]
  ]
  for (const [line, expected] of wrong) {
    assert.throws(() => parseArguments(line === '' ? [] : line.split(' ')), (error) => {
      assert.ok(error instanceof ConfigError, line)
      assert.deepEqual(error.problems.map(({ path }) => path), expected.map(([path]) => path), `${line}: ${error.message}`)
      for (const [index, [, message]] of expected.entries()) assert.match(error.problems[index]!.message, message, line)
      return true
    })
  }
})
