import type { Tunnel } from './tunnel.ts'

/** Those that are open. */
export class Tunnels extends Set<Tunnel> {
  #waiting: (() => void)[] = []

  override delete (tunnel: Tunnel): boolean {
    const isDeleted = super.delete(tunnel)
    if (this.size === 0) {
      for (const resolve of this.#waiting) resolve()
      this.#waiting = []
    }
    return isDeleted
  }

  /** Resolves once none is open. */
  closed (): Promise<void> {
    return this.size === 0 ? Promise.resolve() : new Promise((resolve) => { this.#waiting.push(resolve) })
  }
}
