import { useMemo } from 'react'
import { PodNamesDocument, type StoredFragment } from '../Plumbing/asked'
import { useQuestion } from '../Plumbing/question'
import { namesOf, withPods, type Names } from './happened'
import { justAfter } from './window'

/** Names of the pods that the events tell of: from the events, and from the allocations of their time where they do not say it. */
export function useNames(rows: StoredFragment[]): Names {
  const named = useMemo(() => namesOf(rows), [rows])
  const isUnnamed = rows.some((row) => row.allocationId && !named.has(row.allocationId))
  const times = rows.length > 0 ? [rows[0]!.at, rows.at(-1)!.at].sort((a, b) => Date.parse(a) - Date.parse(b)) : undefined
  const held = useQuestion(PodNamesDocument, { from: times?.[0], at: times && justAfter(times[1]!) }, { enabled: isUnnamed }).data
  return useMemo(() => (held ? withPods(named, held.allocations.items) : named), [named, held])
}
