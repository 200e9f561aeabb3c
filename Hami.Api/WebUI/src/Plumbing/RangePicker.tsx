import { Button, Group, Popover, SegmentedControl, Skeleton } from '@mantine/core'
import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ranges, type Range, type RangeName } from './range'

// The calendar comes when somebody opens it, not with the first page.
const OwnRange = lazy(() => import('./OwnRange'))

/** Chooses the time that trends show: one of the usual lengths, or a begin and end. */
export default function RangePicker({ range }: { range: Range }) {
  const { t } = useTranslation('plumbing')
  const [isOpen, open] = useState(false)
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
          <Suspense fallback={<Skeleton height={170} width={200} />}>
            <OwnRange onChoose={(from, to) => { range.chooseOwn(from, to); open(false) }} />
          </Suspense>
        </Popover.Dropdown>
      </Popover>
    </Group>
  )
}
