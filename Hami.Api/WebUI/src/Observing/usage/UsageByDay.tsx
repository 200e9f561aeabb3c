import { Card, SegmentedControl, SimpleGrid, Stack, Text } from '@mantine/core'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { StackedBars } from '../../Plumbing/charts'
import { Panel } from '../../Plumbing/Page'
import { Answered } from '../../Plumbing/states'
import * as units from '../../Plumbing/units'
import { useByDay } from './byDay'
import { useChoice } from './choice'
import { measures, sum, type MeasureName } from './measure'
import type { ByDay } from './split'

const colours = ['blue', 'teal', 'orange', 'grape', 'cyan'] as const
const names = Object.keys(measures) as MeasureName[]

/** Totals of these days, and how they came together day by day. */
export function UsageByDay() {
  const { t } = useTranslation('observing')
  const [choice, set] = useChoice()
  const question = useByDay(choice)
  return (
    <Answered question={question} height={380}>
      {(found) => (
        <Stack>
          <SimpleGrid cols={{ base: 1, xs: 3 }}>
            {names.map((name) => (
              <Card key={name} withBorder padding="sm" radius="md">
                <Text size="sm" c="dimmed">{t(`usage.${name}`)}</Text>
                <Text fz={24} fw={600} style={{ fontVariantNumeric: 'tabular-nums' }} data-testid={`usage-total-${name}`} data-value={sum(found.rows, name)}>{units.amount(sum(found.rows, name) / measures[name].unit)}</Text>
                <Text size="xs" c="dimmed">{t(`usage.${name}Hint`)}</Text>
              </Card>
            ))}
          </SimpleGrid>
          <Panel
            title={t('usage.byDay')}
            hint={t('usage.byDayHint')}
            actions={
              <SegmentedControl
                size="xs" aria-label={t('usage.measure')} value={choice.measure} onChange={(measure) => set({ measure: measure === 'gpu' ? undefined : measure })}
                data={names.map((name) => ({ value: name, label: t(`usage.${name}Short`) }))}
              />
            }
          >
            <Days found={found} />
          </Panel>
        </Stack>
      )}
    </Answered>
  )
}

function Days({ found }: { found: ByDay }) {
  const { t } = useTranslation('observing')
  const parts = useMemo(
    () => found.parts.map(({ namespace, values }, i) => ({ label: namespace ?? t('usage.others'), colour: namespace === null ? ('gray' as const) : colours[i % colours.length]!, values })),
    [found.parts, t],
  )
  if (parts.length === 0) return <Text size="sm" c="dimmed">{t('usage.noneInDays')}</Text>
  return <StackedBars label={t('usage.byDay')} days={found.days} parts={parts} format={units.amount} />
}
