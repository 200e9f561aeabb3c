import { useQueries } from '@tanstack/react-query'
import { ask } from '../../Plumbing/ask'
import { UsageRowsDocument, type UsageFilter, type UsageRowsQuery, type UsageRowsQueryVariables } from '../../Plumbing/asked'
import { largestPage } from '../../Plumbing/csv'
import { useQuestion } from '../../Plumbing/question'
import type { Choice } from './choice'
import { measures, type MeasureName, type Row } from './measure'
import { daysOf } from './period'

const most = 5

/** The use of each day, that of the namespaces with most of it apart. */
export interface ByDay {
  days: string[]
  parts: { namespace: string | null; values: number[] }[]
  /** A row for each day that had any. */
  rows: Row[]
}

/** Asks for the days of all together, and of each of the largest by itself; what is left are the others. */
export function useByDay({ period, today, filter, measure }: Choice): { data: ByDay | undefined; error: unknown; refetch: () => void } {
  const { sort } = measures[measure]
  const all = useQuestion(UsageRowsDocument, daily(filter), { ignoresLog: true, every: 60_000 })
  const largest = useQuestion(UsageRowsDocument, { by: ['NAMESPACE'], filter, sort, descending: true, first: most }, { ignoresLog: true })
  const names = largest.data?.usage.items.flatMap((row) => row?.namespace ?? []) ?? []
  const each = useQueries({
    queries: names.map((namespace) => {
      const variables = daily({ ...filter, namespace })
      return {
        queryKey: [UsageRowsDocument.toString(), variables],
        queryFn: ({ signal }: { signal: AbortSignal }) => ask(UsageRowsDocument, variables, signal),
        meta: { ignoresLog: true },
      }
    }),
  })
  const refetch = () => [all, largest, ...each].forEach((question) => void question.refetch())
  const error = [all, largest, ...each].find((question) => question.error)?.error
  if (!all.data || !largest.data || each.some((question) => !question.data)) return { data: undefined, error, refetch }
  const rowsOf = (data: UsageRowsQuery | undefined) => data?.usage.items.filter((row) => row !== null) ?? []
  return {
    data: split(daysOf(period, today), rowsOf(all.data), names.map((namespace, i) => ({ namespace, rows: rowsOf(each[i]!.data) })), measure),
    error,
    refetch,
  }
}

function daily(filter: UsageFilter): UsageRowsQueryVariables {
  return { by: ['DAY'], filter, sort: 'DAY', descending: true, first: largestPage }
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
