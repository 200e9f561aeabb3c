import type { PageOf } from './question'

export type Cell = string | number | null | undefined

/** Text that spreadsheets open: UTF-8 with its mark, quoted where needed, lines ended as RFC 4180 has it. */
export function csv(header: string[], rows: Cell[][]): string {
  return '\uFEFF' + [header, ...rows].map((row) => row.map(field).join(',') + '\r\n').join('')
}

function field(value: Cell): string {
  const text = value == null ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Largest page the server gives. */
export const largestPage = 500

/** All rows of a list, page after page. */
export async function everyRow<Row>(page: (after: string | null) => Promise<PageOf<Row>>): Promise<Row[]> {
  const rows: Row[] = []
  let after: string | null = null
  do {
    const { items, pageInfo }: PageOf<Row> = await page(after)
    rows.push(...items.filter((row) => row !== null))
    after = pageInfo.hasNextPage ? (pageInfo.endCursor ?? null) : null
  } while (after)
  return rows
}

/** Gives somebody a file to keep. */
export function saveFile(name: string, text: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }))
  link.download = name
  link.click()
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
