import { SimpleGrid, Stack, Text } from '@mantine/core'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { useYou } from '../../Access/Gate'
import { WorkloadTrendDocument } from '../../Plumbing/asked'
import { TimeChart, type Line } from '../../Plumbing/charts'
import { Meter } from '../../Plumbing/Meter'
import { useMoment } from '../../Plumbing/moment'
import { Panel } from '../../Plumbing/Page'
import { measured, useQuestion } from '../../Plumbing/question'
import { stepOf, useRange, type Range } from '../../Plumbing/range'
import RangePicker from '../../Plumbing/RangePicker'
import { Answered } from '../../Plumbing/states'
import * as units from '../../Plumbing/units'
import { useUrl } from '../../Plumbing/url'

interface Held {
  podUid: string
  memoryMiB: number
  cores: number
  devices: number
  placedAt: string
  releasedAt?: string | null
}

const percent = (value: number) => units.percent(value)

/** What a pod does with its share of the cards: now, and over time. */
export function Use({ held, now: told }: { held: Held; now: { busy?: number | null; memoryUsedMiB?: number | null } | null | undefined }) {
  const { t } = useTranslation('observing')
  const you = useYou()
  const { isNow } = useMoment()
  const range = useRangeOf(held)
  const question = useQuestion(WorkloadTrendDocument, { podUid: held.podUid, from: range.from, to: range.to, stepSeconds: range.stepSeconds }, { every: measured })
  // Who may not see nodes sees the last that was told.
  const now = you.nodes || !range.name ? told : question.data?.usageTrend.points.findLast((point) => point.busy != null || point.memoryUsedMiB != null)
  // A pod that reserves no compute may use its cards as they are.
  const cores = held.cores || held.devices * 100
  const points = useMemo(
    () => question.data?.usageTrend.points.map((point) => ({ at: point.at, busy: units.share(point.busy, cores), used: point.memoryUsedMiB, share: held.memoryMiB })) ?? [],
    [question.data, cores, held.memoryMiB],
  )
  const compute = useMemo<Line[]>(() => [{ key: 'busy', label: t('workload.use.busyOfShare'), colour: 'blue' }], [t])
  const memory = useMemo<Line[]>(() => [{ key: 'used', label: t('workload.use.memoryUsed'), colour: 'teal' }, { key: 'share', label: t('workload.use.memoryShare'), colour: 'gray', isStepped: true }], [t])
  const zoom = range.chooseOwn
  return (
    <Panel title={t('workload.use.title')} hint={held.cores ? undefined : t('workload.use.noCores')} actions={<RangePicker range={range} />}>
      <Stack>
        {isNow && !held.releasedAt && (
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <div data-testid="workload-busy" data-value={now?.busy ?? ''}>
              <Text size="xs" c="dimmed">{t('workload.use.computeNow')}</Text>
              <Meter label={t('workload.use.computeNow')} part={now?.busy} whole={cores} text={t('workloads.cards', { count: cores / 100, formatted: units.cardsOf(now?.busy, cores) })} size="lg" />
            </div>
            <div data-testid="workload-memory-used" data-value={now?.memoryUsedMiB ?? ''}>
              <Text size="xs" c="dimmed">{t('workload.use.memoryNow')}</Text>
              <Meter label={t('workload.use.memoryNow')} part={now?.memoryUsedMiB} whole={held.memoryMiB} text={units.memoryOf(now?.memoryUsedMiB, held.memoryMiB)} size="lg" />
            </div>
          </SimpleGrid>
        )}
        <Answered question={question} height={220}>
          {() => points.every((point) => point.busy === null && point.used == null) ? <Text size="sm" c="dimmed">{t('workload.use.unmeasured')}</Text> : (
            <SimpleGrid cols={{ base: 1, md: 2 }}>
              <div>
                <Text size="sm" fw={500}>{t('workload.use.busyOfShare')}</Text>
                <TimeChart label={t('workload.use.busyOfShare')} lines={compute} points={points} format={percent} top={100} onZoom={zoom} />
              </div>
              <div>
                <Text size="sm" fw={500}>{t('workload.use.memoryUsed')}</Text>
                <TimeChart label={t('workload.use.memoryUsed')} lines={memory} points={points} format={units.memory} top={held.memoryMiB} onZoom={zoom} />
              </div>
            </SimpleGrid>
          )}
        </Answered>
      </Stack>
    </Panel>
  )
}

/** The time that somebody chose; of a pod that has ended the time it held its cards, until somebody chooses. */
function useRangeOf(held: Held): Range {
  const range = useRange()
  const [name] = useUrl('range')
  const [from] = useUrl('from')
  if (!held.releasedAt || name || from) return range
  const seconds = (Date.parse(held.releasedAt) - Date.parse(held.placedAt)) / 1000
  return { ...range, name: null, from: held.placedAt, to: held.releasedAt, stepSeconds: stepOf(seconds) }
}
