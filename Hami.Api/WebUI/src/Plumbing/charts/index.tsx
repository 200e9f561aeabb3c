import { Skeleton } from '@mantine/core'
import { lazy, Suspense } from 'react'
import type { BarsProps } from './Bars'
import type { StackedBarsProps } from './StackedBars'
import type { TimeChartProps } from './TimeChart'

export { Donut } from './Donut'
export type { Line, Point } from './TimeChart'

// The charting library comes with the first chart, not with the first page.
const LazyTimeChart = lazy(() => import('./TimeChart'))
const LazyBars = lazy(() => import('./Bars'))
const LazyStackedBars = lazy(() => import('./StackedBars'))

/** Values over time. */
export function TimeChart(props: TimeChartProps) {
  return <Suspense fallback={<Skeleton height={(props.height ?? 180) + 30} />}><LazyTimeChart {...props} /></Suspense>
}

/** Bars side by side, such as a histogram. */
export function Bars(props: BarsProps) {
  return <Suspense fallback={<Skeleton height={props.height ?? 180} />}><LazyBars {...props} /></Suspense>
}

/** Bars by the day, each of several parts. */
export function StackedBars(props: StackedBarsProps) {
  return <Suspense fallback={<Skeleton height={(props.height ?? 220) + 30} />}><LazyStackedBars {...props} /></Suspense>
}
