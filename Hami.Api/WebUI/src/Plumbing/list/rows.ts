import type { UseQueryResult } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import type { ListQuestion } from '../question'

/** Rows that came with another answer, all at once, for a DataList. */
export function rowsOf<Row>(question: Pick<UseQueryResult<unknown>, 'error' | 'isPending' | 'isFetching' | 'isStale' | 'isPlaceholderData' | 'refetch'>, rows: Row[]) {
  const { error, isPending, isFetching, isPlaceholderData, refetch } = question
  return {
    rows, total: rows.length, error, isPending, isFetching, isStale: false, isPlaceholderData, isFetchingNextPage: false, hasNextPage: false,
    fetchNextPage: refetch as unknown as ListQuestion<Row>['fetchNextPage'], refetch: refetch as unknown as ListQuestion<Row>['refetch'],
  }
}

/** A value that rows are sorted by; what is unknown comes last. */
export type Value = string | number | null | undefined

/** Sorts rows that are all here. */
export function useSorted<Row, Sort extends string>(rows: Row[], values: Record<Sort, (row: Row) => Value>, usual: NoInfer<Sort>, usuallyDescending = false) {
  const [{ sort, descending }, set] = useState<{ sort: Sort; descending: boolean }>({ sort: usual, descending: usuallyDescending })
  const sorted = useMemo(() => {
    const value = values[sort]
    return [...rows].sort((a, b) => compare(value(a), value(b), descending))
  }, [rows, values, sort, descending])
  return { rows: sorted, order: { sort: sort as string, descending, set: (next: string, down: boolean) => set({ sort: next as Sort, descending: down }) } }
}

export function compare(a: Value, b: Value, descending: boolean): number {
  if (a == null || b == null) return a == null ? (b == null ? 0 : 1) : -1
  const order = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true })
  return descending ? -order : order
}
