import { SimpleGrid, Skeleton, Stack, Text } from '@mantine/core'
import { lazy, Suspense, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { ClusterAllocationTrendDocument, ClusterUseTrendDocument } from '../../Plumbing/asked'
import { TimeChart, type Line } from '../../Plumbing/charts'
import { useMoment } from '../../Plumbing/moment'
import { Panel } from '../../Plumbing/Page'
import { useQuestion } from '../../Plumbing/question'
import { useRange } from '../../Plumbing/range'
import { Answered, Failed } from '../../Plumbing/states'
import { together, wholeSteps } from '../../Plumbing/trends'
import * as units from '../../Plumbing/units'

// The date pickers come after the page.
const RangePicker = lazy(() => import('../../Plumbing/RangePicker'))

const inPercent = (value: number) => units.percent(value, value > 0 && value < 10 ? 1 : 0)

/** What was allocated and what was used, over time. */
export function Trends() {
  const { t } = useTranslation('observing')
  const range = useRange()
  const { isNow } = useMoment()
  const time = wholeSteps(range, isNow)
  const allocated = useQuestion(ClusterAllocationTrendDocument, time, { isDear: true })
  const used = useQuestion(ClusterUseTrendDocument, time, { isDear: true })
  const points = useMemo(() => {
    const held = allocated.data?.allocationTrend.points
    const measured = used.data?.usageTrend.points
    return together(
      held?.map((p) => ({ at: p.at, cores: units.share(p.usedCores, p.cores), memory: p.usedMemoryMiB, whole: p.memoryMiB })),
      measured?.map((p) => ({ at: p.at, busy: p.busy, inUse: p.memoryUsedMiB })),
    )
  }, [allocated.data, used.data])
  const compute = useMemo<Line[]>(
    () => [
      { key: 'cores', label: t('overview.allocated'), colour: 'blue', isStepped: true },
      { key: 'busy', label: t('overview.used'), colour: 'orange' },
    ],
    [t],
  )
  const memory = useMemo<Line[]>(
    () => [
      { key: 'whole', label: t('overview.thereIs'), colour: 'gray', isStepped: true },
      { key: 'memory', label: t('overview.allocated'), colour: 'blue', isStepped: true },
      { key: 'inUse', label: t('overview.used'), colour: 'orange' },
    ],
    [t],
  )
  return (
    <Panel title={t('overview.trends')} hint={t('overview.trendsHint')} actions={<Suspense fallback={<Skeleton height={30} width={420} />}><RangePicker range={range} /></Suspense>}>
      {used.error ? <Failed error={used.error} again={() => void used.refetch()} /> : null}
      <Answered question={allocated} height={440}>
        {() => (
          <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
            <Stack gap={4}>
              <Text size="sm" fw={500}>{t('overview.compute')}</Text>
              <TimeChart label={t('overview.computeTrend')} lines={compute} points={points} format={inPercent} top={100} onZoom={range.chooseOwn} />
            </Stack>
            <Stack gap={4}>
              <Text size="sm" fw={500}>{t('overview.memory')}</Text>
              <TimeChart label={t('overview.memoryTrend')} lines={memory} points={points} format={units.memory} onZoom={range.chooseOwn} />
            </Stack>
          </SimpleGrid>
        )}
      </Answered>
      {used.data?.usageTrend.source === 'PROMETHEUS' && <Text size="xs" c="dimmed">{t('overview.fromPrometheus')}</Text>}
    </Panel>
  )
}
