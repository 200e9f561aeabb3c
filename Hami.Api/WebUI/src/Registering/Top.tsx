import { Group, Progress, SegmentedControl, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { colourOf } from '../Plumbing/Meter'
import { useMoment } from '../Plumbing/moment'
import { Panel } from '../Plumbing/Page'
import { PageLink } from '../Plumbing/PageLink'
import * as units from '../Plumbing/units'

/** One of the first: a node or device, and how full or busy it is. */
export interface Ranked {
  name: string
  title?: string
  percent: number | null
  node?: string
  uuid?: string
}

/** The five fullest or busiest, as bars with links. */
export function Top({ title, allocated, used }: { title: string; allocated: Ranked[]; used: Ranked[] }) {
  const { t } = useTranslation('registering')
  const moment = useMoment()
  const [shown, show] = useState<'allocated' | 'used'>('allocated')
  const rows = (shown === 'allocated' ? allocated : used).filter((row) => row.percent !== null)
  return (
    <Panel
      title={title}
      actions={<SegmentedControl size="xs" aria-label={title} value={shown} onChange={show} data={[{ value: 'allocated', label: t('top.allocated') }, { value: 'used', label: t('top.used') }]} />}
    >
      {rows.length === 0 && <Text size="sm" c="dimmed">{t(shown === 'allocated' ? 'top.none' : moment.isNow ? 'top.noUse' : 'top.noUseThen')}</Text>}
      <Stack gap={8} component="ol" p={0} m={0}>
        {rows.map((row) => (
          <li key={row.uuid ?? row.node} style={{ display: 'block' }}>
            <Group justify="space-between" gap={6} wrap="nowrap">
              {row.uuid
                ? <PageLink to="/devices/$uuid" params={{ uuid: row.uuid }} size="sm" truncate title={row.title}>{row.name}</PageLink>
                : <PageLink to="/nodes/$node" params={{ node: row.node! }} size="sm" truncate title={row.title}>{row.name}</PageLink>}
              <Text size="sm" fw={500} style={{ whiteSpace: 'nowrap' }}>{units.percent(row.percent)}</Text>
            </Group>
            <Progress size="sm" value={Math.min(100, row.percent!)} color={colourOf(row.percent)} aria-hidden />
          </li>
        ))}
      </Stack>
    </Panel>
  )
}
