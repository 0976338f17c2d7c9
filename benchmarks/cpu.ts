import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const microsecondsPerTick = 1_000_000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8', timeout: 5_000 }))

/** CPU time, user and system, that a process and its living descendants have used so far, in microseconds. */
export function cpuOf (pid: number): number {
  const all = processes()
  let ticks = 0
  const family = [pid]
  for (let i = 0; i < family.length; i++) {
    ticks += all.get(family[i]!)?.ticks ?? 0
    for (const [child, { parent }] of all) {
      if (parent === family[i]) family.push(child)
    }
  }
  return ticks * microsecondsPerTick
}

/** CPU time that all processes together have used on one core so far, in microseconds; with what a hypervisor took. */
export function cpuOn (core: number): number {
  const line = new RegExp(`^cpu${core} (.+)$`, 'm').exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? ''
  // proc(5): user nice system idle iowait irq softirq steal. Interrupts are left out: they are the traffic's own.
  const [user = 0, nice = 0, system = 0, , , , , steal = 0] = line.split(' ').map(Number)
  return (user + nice + system + steal) * microsecondsPerTick
}

function processes (): Map<number, { parent: number, ticks: number }> {
  const all = new Map<number, { parent: number, ticks: number }>()

  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    let stat
    try {
      stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
    } catch {
      continue // it ended meanwhile
    }
    // proc(5): "pid (comm) state ppid …", utime is field 14, stime 15. The name may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    all.set(Number(entry), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) })
  }
  return all
}
