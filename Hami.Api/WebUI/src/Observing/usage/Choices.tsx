import { Chip, Group, Select, Stack, Text } from '@mantine/core'
import { DatePickerInput } from '@mantine/dates'
import { useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useYou } from '../../Access/Gate'
import { UsageRowsDocument } from '../../Plumbing/asked'
import { useCalendarWords } from '../../Plumbing/calendar'
import { largestPage } from '../../Plumbing/csv'
import { useQuestion } from '../../Plumbing/question'
import { dimensions, useChoice } from './choice'
import { addDays } from './period'

/** Which days, whose use, and what it is told apart by. */
export function Choices({ withBy }: { withBy: boolean }) {
  const { t } = useTranslation('observing')
  const { nodes: seesNodes } = useYou()
  const [{ period, today, by, namespace, node }, set] = useChoice()
  return (
    <Stack gap="sm">
      <Group gap="sm" align="flex-end">
        <Days from={period.from} to={period.to} today={today} choose={(from, to) => set({ from, to })} />
        {withBy && <Names of="namespace" label={t('usage.namespace')} value={namespace} choose={(namespace) => set({ namespace })} />}
        {seesNodes && <Names of="node" label={t('usage.node')} value={node} choose={(node) => set({ node })} />}
      </Group>
      {withBy && (
        <Group gap="xs" role="group" aria-label={t('usage.by')}>
          <Text size="sm" fw={500}>{t('usage.by')}</Text>
          {/* In the order of the columns, not of the clicks; one must stay. */}
          <Chip.Group multiple value={by} onChange={(chosen) => chosen.length > 0 && set({ by: dimensions.filter((d) => chosen.includes(d)).join(','), sort: undefined })}>
            {dimensions.map((dimension) => <Chip key={dimension} value={dimension} size="sm">{t(`usage.${dimension}`)}</Chip>)}
          </Chip.Group>
        </Group>
      )}
    </Stack>
  )
}

function Days({ from, to, today, choose }: { from: string; to: string; today: string; choose: (from: string, to: string) => void }) {
  const { t } = useTranslation('observing')
  const words = useCalendarWords()
  const id = useId()
  // Between the two clicks only the first day is known.
  const [days, setDays] = useState<[string | null, string | null]>([from, to])
  useEffect(() => setDays([from, to]), [from, to])
  const last = (count: number): [string, string] => [addDays(today, 1 - count), today]
  return (
    <DatePickerInput
      type="range"
      label={t('usage.days')}
      w={{ base: '100%', xs: 280 }}
      valueFormat="YYYY-MM-DD"
      allowSingleDateInRange
      ariaLabels={words}
      hideOutsideDates
      // The calendar is named by what it belongs to.
      id={id}
      popoverProps={{ id }}
      maxDate={today}
      value={days}
      onChange={([first, second]) => {
        setDays([first, second])
        if (first && second) choose(first, second)
      }}
      presets={[7, 30, 90, 365].map((count) => ({ value: last(count), label: t('usage.lastDays', { count }) }))}
    />
  )
}

/** The names that had use in these days. */
function Names({ of, label, value, choose }: { of: 'namespace' | 'node'; label: string; value: string | undefined; choose: (name: string | undefined) => void }) {
  const { t } = useTranslation('observing')
  const [{ period }] = useChoice()
  const question = useQuestion(
    UsageRowsDocument,
    { by: [of === 'node' ? 'NODE' : 'NAMESPACE'], filter: { from: period.from, to: period.until }, sort: 'NAME', descending: false, first: largestPage },
    { isDear: true },
  )
  const names = question.data?.usage.items.flatMap((row) => row?.[of] ?? []) ?? []
  return (
    <Select
      label={label}
      w={{ base: '100%', xs: 200 }}
      searchable
      clearable
      limit={100}
      placeholder={t('usage.all')}
      nothingFoundMessage={t('usage.noName')}
      data={value && !names.includes(value) ? [value, ...names] : names}
      value={value ?? null}
      onChange={(name) => choose(name ?? undefined)}
      clearButtonProps={{ 'aria-label': t('usage.clear', { what: label }) }}
    />
  )
}
