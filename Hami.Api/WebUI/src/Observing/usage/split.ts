import { measures, type MeasureName, type Row } from './measure'

/** The use of each day, that of the namespaces with most of it apart. */
export interface ByDay {
  days: string[]
  parts: { namespace: string | null; values: number[] }[]
  /** A row for each day that had any. */
  rows: Row[]
}

/** Parts of each day that add up to the day. */
export function split(days: string[], rows: Row[], largest: { namespace: string; rows: Row[] }[], measure: MeasureName): ByDay {
  const { field, unit } = measures[measure]
  const perDay = (of: Row[]) => {
    const found = new Map(of.map((row) => [row.day, row[field] / unit]))
    return days.map((day) => found.get(day) ?? 0)
  }
  const parts: ByDay['parts'] = largest.map(({ namespace, rows: own }) => ({ namespace, values: perDay(own) }))
  const others = perDay(rows).map((whole, day) => Math.max(0, whole - parts.reduce((sum, part) => sum + part.values[day]!, 0)))
  // Less than that is how numbers are rounded, and what was used between two questions.
  const isSome = others.some((rest) => rest > 0.01)
  return { days, parts: isSome ? [...parts, { namespace: null, values: others }] : parts, rows }
}
