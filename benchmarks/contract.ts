// What run.ts tells a contender: serve on 127.0.0.1:PORT and carry everything to UPSTREAM.

export const port: number = Number(process.env.PORT)
export const upstream: string = process.env.UPSTREAM ?? ''

if (!Number.isInteger(port) || port < 1 || upstream === '') {
  console.error('A contender needs PORT (a number) and UPSTREAM (http://127.0.0.1:port).')
  process.exit(2)
}

// Leaving by exit() rather than by the signal's default lets --cpu-prof and --heap-prof write their files.
process.once('SIGTERM', () => process.exit())

// Whoever started us may be killed without a chance to stop us; the closed channel still tells.
process.once('disconnect', () => process.exit())
