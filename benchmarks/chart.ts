export interface Bar {
  readonly name: string
  readonly value: number
  /** Ends of the line across the end of the bar; both the value where there is no spread. */
  readonly least: number
  readonly most: number
}

export interface Chart {
  readonly title: string
  readonly bars: readonly Bar[]
  readonly format: (value: number) => string
}

const width = 720
const left = 150
const right = 90
const step = 26
const top = 40

/** Horizontal bars, shortest best. Colours are those of both light and dark pages; ours stands out. */
export function svg ({ title, bars, format }: Chart): string {
  const height = top + bars.length * step + 10
  const most = Math.max(...bars.map((bar) => Math.max(bar.value, bar.most)), Number.MIN_VALUE)
  const scale = (value: number): number => Math.max(0, value) / most * (width - left - right)

  const rows = bars.map(({ name, value, least, most }, index) => {
    const y = top + index * step
    const end = left + scale(value)
    const labelAt = left + scale(Math.max(value, most)) + 8
    const whisker = most > least
      ? `<path d="M${fixed(left + scale(least))} ${y + 9}H${fixed(left + scale(most))}" stroke="#888" stroke-width="2"/>`
      : ''
    return `<text x="${left - 8}" y="${y + 13}" text-anchor="end"${name === 'ours' ? ' font-weight="bold"' : ''}>${escape(name)}</text>` +
      `<rect x="${left}" y="${y}" width="${fixed(end - left)}" height="18" fill="${name === 'ours' ? '#0969da' : name === 'ours-plain' ? '#54aeff' : '#9aa4af'}"/>` +
      whisker +
      `<text x="${fixed(labelAt)}" y="${y + 13}">${escape(format(value))}</text>`
  })

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#7d8590">`,
    `<text x="8" y="20" font-size="14" font-weight="bold">${escape(title)}</text>`,
    ...rows,
    '</svg>',
    ''
  ].join('\n')
}

function fixed (value: number): string {
  return value.toFixed(1)
}

function escape (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
