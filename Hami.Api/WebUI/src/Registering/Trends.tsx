import { SimpleGrid, Stack, Text, Title } from '@mantine/core'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { AllocatedOverTimeDocument, UsedOverTimeDocument } from '../Plumbing/asked'
import { TimeChart, type Line } from '../Plumbing/charts'
import { useMoment } from '../Plumbing/moment'
import { Panel } from '../Plumbing/Page'
import { measured, useQuestion } from '../Plumbing/question'
import { useRange } from '../Plumbing/range'
import RangePicker from '../Plumbing/RangePicker'
import { Answered, Failed } from '../Plumbing/states'
import { together, wholeSteps } from '../Plumbing/trends'
import * as units from '../Plumbing/units'

const percent = (value: number) => units.percent(value)

/** What was allocated and used of a node or device over time: compute, memory, temperature and power. */
export function Trends({ of }: { of: { node: string } | { deviceUuid: string } }) {
  const { t } = useTranslation('registering')
  const range = useRange()
  const { isNow } = useMoment()
  const when = { of, ...wholeSteps(range, isNow) }
  const held = useQuestion(AllocatedOverTimeDocument, when, { every: 3 * measured, isDear: true })
  const used = useQuestion(UsedOverTimeDocument, when, { every: 3 * measured, isDear: true })
  const points = useMemo(
    () =>
      together(
        held.data?.allocationTrend.points.map((p) => ({ at: p.at, allocatedCores: units.share(p.usedCores, p.cores), allocatedMemory: p.memoryMiB > 0 ? p.usedMemoryMiB : null })),
        used.data?.usageTrend.points.map((p) => ({ at: p.at, busy: p.busy, usedMemory: p.memoryUsedMiB, temperature: p.temperatureCelsius, power: p.powerWatts })),
      ),
    [held.data, used.data],
  )
  const most = held.data?.allocationTrend.points.reduce((top, point) => Math.max(top, point.memoryMiB), 0)
  const isMeasured = used.data?.usageTrend.points.some((point) => point.busy != null || point.memoryUsedMiB != null || point.temperatureCelsius != null)
  const lines = useMemo(
    () => ({
      compute: [{ key: 'allocatedCores', label: t('trends.allocated'), colour: 'blue', isStepped: true }, { key: 'busy', label: t('trends.used'), colour: 'teal' }],
      memory: [{ key: 'allocatedMemory', label: t('trends.allocated'), colour: 'blue', isStepped: true }, { key: 'usedMemory', label: t('trends.used'), colour: 'teal' }],
      temperature: [{ key: 'temperature', label: t('trends.temperature'), colour: 'orange' }],
      power: [{ key: 'power', label: t('trends.power'), colour: 'grape' }],
    } satisfies Record<string, Line[]>),
    [t],
  )
  const chart = (name: keyof typeof lines, format: (value: number) => string, top?: number) => (
    <Stack gap={4}>
      <Title order={3} size="h6">{t(`trends.${name}`)}</Title>
      <TimeChart label={t(`trends.${name}`)} lines={lines[name]} points={points} format={format} top={top} onZoom={range.chooseOwn} />
    </Stack>
  )
  return (
    <Panel title={t('trends.title')} hint={t('trends.zoom')} actions={<RangePicker range={range} />}>
      {used.error ? <Failed error={used.error} again={() => void used.refetch()} /> : null}
      <Answered question={held} height={480}>
        {() => (
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            {chart('compute', percent, 100)}
            {chart('memory', units.memory, most || undefined)}
            {isMeasured && chart('temperature', units.celsius)}
            {isMeasured && chart('power', units.watts)}
          </SimpleGrid>
        )}
      </Answered>
      {used.data && !isMeasured && <Text size="sm" c="dimmed" mt="xs">{t('trends.noUse')}</Text>}
    </Panel>
  )
}
