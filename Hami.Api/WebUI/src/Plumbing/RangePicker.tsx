import { Button, Group, Popover, SegmentedControl, Stack } from '@mantine/core'
import { DateTimePicker } from '@mantine/dates'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useCalendarWords } from './calendar'
import { ranges, type Range, type RangeName } from './range'

/** Chooses the time that trends show: one of the usual lengths, or a begin and end. */
export default function RangePicker({ range }: { range: Range }) {
  const { t } = useTranslation('plumbing')
  const words = useCalendarWords()
  const [isOpen, open] = useState(false)
  const [from, setFrom] = useState<string | null>(null)
  const [to, setTo] = useState<string | null>(null)
  const isGood = !!from && !!to && Date.parse(from) < Date.parse(to)
  return (
    <Group gap="xs" role="group" aria-label={t('range.label')}>
      <SegmentedControl
        size="xs"
        aria-label={t('range.label')}
        value={range.name ?? ''}
        onChange={(name) => range.choose(name as RangeName)}
        data={Object.keys(ranges).map((name) => ({ value: name, label: t(`range.${name as RangeName}`) }))}
      />
      <Popover opened={isOpen} onChange={open} trapFocus withArrow>
        <Popover.Target>
          <Button size="xs" variant={range.name ? 'default' : 'light'} onClick={() => open(!isOpen)}>{t('range.own')}</Button>
        </Popover.Target>
        <Popover.Dropdown>
          <Stack gap="xs">
            <DateTimePicker label={t('range.from')} value={from} onChange={setFrom} withSeconds ariaLabels={words} popoverProps={{ withinPortal: false }} />
            <DateTimePicker label={t('range.to')} value={to} onChange={setTo} withSeconds ariaLabels={words} popoverProps={{ withinPortal: false }} error={from && to && !isGood ? t('range.backwards') : undefined} />
            <Button size="xs" disabled={!isGood} onClick={() => { range.chooseOwn(new Date(from!), new Date(to!)); open(false) }}>{t('range.show')}</Button>
          </Stack>
        </Popover.Dropdown>
      </Popover>
    </Group>
  )
}
