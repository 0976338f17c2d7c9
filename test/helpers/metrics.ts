/** What a scrape has: every series as it is printed, with its value. */
export class Scrape {
  readonly text: string
  readonly #series = new Map<string, number>()

  constructor (text: string) {
    this.text = text
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('#')) continue
      const space = line.lastIndexOf(' ')
      const series = line.slice(0, space)
      if (this.#series.has(series)) throw new Error(`${series} is there twice`)
      this.#series.set(series, Number(line.slice(space + 1)))
    }
  }

  /** One value; undefined if there is no such series. */
  value (series: string): number | undefined {
    return this.#series.get(series)
  }

  /** All series of a metric, with those whose value is 0 left out. */
  of (metric: string): Record<string, number> {
    const found: Record<string, number> = {}
    for (const [series, value] of this.#series) {
      if (value !== 0 && (series === metric || series.startsWith(`${metric}{`))) found[series.slice(metric.length)] = value
    }
    return found
  }

  /** The sum over all series of a metric. */
  sum (metric: string): number {
    return Object.values(this.of(metric)).reduce((sum, value) => sum + value, 0)
  }

  /** The names in HELP lines, in order. */
  get names (): string[] {
    return Array.from(this.text.matchAll(/^# HELP (\w+) /gm), ([, name]) => name!)
  }
}
