import type { UsageBy, UsageFilter } from '../../Plumbing/asked'
import { useMoment } from '../../Plumbing/moment'
import { useSetUrl, useUrl } from '../../Plumbing/url'
import { measures, type MeasureName } from './measure'
import { dayOf, periodOf, type Period } from './period'

/** What use can be told apart by, in the order of the columns. */
export const dimensions = ['day', 'namespace', 'owner', 'node', 'device'] as const

export type Dimension = (typeof dimensions)[number]

export interface Choice {
  period: Period
  today: string
  by: Dimension[]
  measure: MeasureName
  namespace: string | undefined
  node: string | undefined
  filter: UsageFilter
  wanted: UsageBy[]
}

/** What somebody wants to see of the usage ledger, as the address has it. */
export function useChoice(): [Choice, ReturnType<typeof useSetUrl>] {
  const { at } = useMoment()
  const set = useSetUrl()
  const [from] = useUrl('from')
  const [to] = useUrl('to')
  const [byText] = useUrl('by')
  const [measureText] = useUrl('measure')
  const [namespace] = useUrl('namespace')
  const [node] = useUrl('node')
  const today = dayOf(at ? Date.parse(at) : Date.now())
  const period = periodOf(from, to, today)
  const asked = byText?.split(',') ?? []
  const known = dimensions.filter((dimension) => asked.includes(dimension))
  const by: Dimension[] = known.length > 0 ? known : ['namespace']
  const measure = measureText && measureText in measures ? (measureText as MeasureName) : 'gpu'
  return [
    { period, today, by, measure, namespace, node, filter: { from: period.from, to: period.until, namespace, node }, wanted: by.map((dimension) => dimension.toUpperCase() as UsageBy) },
    set,
  ]
}
