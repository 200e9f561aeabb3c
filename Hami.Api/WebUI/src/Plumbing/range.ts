import { useMemo } from 'react'
import { useMoment } from './moment'
import { useSetUrl, useUrl } from './url'

/** Lengths of time that a trend can show. */
export const ranges = { '1h': 3_600, '3h': 10_800, '6h': 21_600, '1d': 86_400, '7d': 604_800, '30d': 2_592_000 } as const

export type RangeName = keyof typeof ranges

const steps = [300, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400]

/** Seconds from point to point that a time is shown with, so that there are at most about 120. */
export function stepOf(seconds: number): number {
  return steps.find((step) => seconds / step <= 120) ?? 86_400
}

export interface Range {
  /** Null for a begin and end of one's own. */
  name: RangeName | null
  /** ISO 8601; a range that ends now moves on by whole minutes, so that it is not another question every millisecond. */
  from: string
  to: string
  stepSeconds: number
  choose: (name: RangeName) => void
  chooseOwn: (from: Date, to: Date) => void
}

/** The time that the trends of a page show: up to the moment of the page, as long as the address says. */
export function useRange(usual: RangeName = '1h'): Range {
  const moment = useMoment()
  const [name] = useUrl('range')
  const [from] = useUrl('from')
  const [to] = useUrl('to')
  const set = useSetUrl()
  const minute = Math.floor(Date.now() / 60_000)
  return useMemo(() => {
    const isOwn = !!from && !!to && Date.parse(from) < Date.parse(to)
    const known = isOwn ? null : ((name && name in ranges ? name : usual) as RangeName)
    const end = isOwn ? Date.parse(to) : moment.at ? Date.parse(moment.at) : minute * 60_000
    const begin = isOwn ? Date.parse(from) : end - ranges[known!] * 1000
    return {
      name: known,
      from: new Date(begin).toISOString(),
      to: new Date(end).toISOString(),
      stepSeconds: stepOf((end - begin) / 1000),
      choose: (next) => set({ range: next, from: undefined, to: undefined }),
      chooseOwn: (begin, end) => set({ range: undefined, from: begin.toISOString(), to: end.toISOString() }),
    }
  }, [name, from, to, moment.at, minute, usual, set])
}
