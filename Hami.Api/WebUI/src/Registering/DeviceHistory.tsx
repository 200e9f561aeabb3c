import { Group, Text } from '@mantine/core'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { HoldersBeforeDocument, type HoldersBeforeQuery } from '../Plumbing/asked'
import type { Column } from '../Plumbing/list/columns'
import { DataList } from '../Plumbing/list/DataList'
import { useMoment } from '../Plumbing/moment'
import { PageLink } from '../Plumbing/PageLink'
import { useQuestion } from '../Plumbing/question'
import { Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { PodLink } from './PodLink'
import { rowsOf, useSorted, type Value } from '../Plumbing/list/rows'
import { Section } from './Section'
import { Time } from './Time'

type Row = NonNullable<HoldersBeforeQuery['allocations']['items'][number]> & { memoryMiB: number; cores: number; profiles: string }

const values = {
  pod: (row: Row) => `${row.namespace}/${row.pod}`,
  memory: (row: Row) => row.memoryMiB,
  cores: (row: Row) => row.cores,
  placed: (row: Row) => row.placedAt,
  released: (row: Row) => row.releasedAt,
  held: (row: Row) => (row.releasedAt ? Date.parse(row.releasedAt) - Date.parse(row.placedAt) : null),
  why: (row: Row) => row.releaseReason,
} satisfies Record<string, (row: Row) => Value>

/** Who held a part of a device and gave it back, the latest first. */
export function DeviceHistory({ uuid }: { uuid: string }) {
  const { t } = useTranslation('registering')
  const { at } = useMoment()
  const question = useQuestion(HoldersBeforeDocument, { at, uuid })
  const all = useMemo(
    () =>
      (question.data?.allocations.items ?? []).flatMap((item): Row[] => {
        if (!item) return []
        const here = item.shares.filter((share) => share.deviceUuid === uuid)
        return [{
          ...item,
          memoryMiB: here.reduce((sum, share) => sum + share.memoryMiB, 0),
          cores: here.reduce((sum, share) => sum + share.cores, 0),
          profiles: here.flatMap((share) => (share.mig ? [share.mig.profile] : [])).join(', '),
        }]
      }),
    [question.data, uuid],
  )
  const { rows, order } = useSorted(all, values, 'released', true)
  const columns = useMemo<Column<Row>[]>(
    () => [
      { key: 'pod', title: t('column.pod'), sort: 'pod', width: 190, cell: (row) => <PodLink of={row} id="holder-link" /> },
      {
        key: 'memory', title: t('column.memoryHeld'), sort: 'memory', width: 110, align: 'right',
        cell: (row) => <Group gap={4} justify="flex-end">{units.memory(row.memoryMiB)}{row.profiles && <Text size="xs" c="dimmed">{row.profiles}</Text>}</Group>,
      },
      { key: 'compute', title: t('column.computeHeld'), sort: 'cores', width: 90, align: 'right', cell: (row) => units.percent(row.cores) },
      { key: 'placed', title: t('column.placed'), sort: 'placed', width: 180, cell: (row) => <Time at={row.placedAt} /> },
      { key: 'released', title: t('column.released'), sort: 'released', width: 180, cell: (row) => <Time at={row.releasedAt} /> },
      { key: 'held', title: t('column.held'), sort: 'held', width: 110, cell: (row) => (row.releasedAt ? units.since(row.placedAt, row.releasedAt) : units.unknown) },
      { key: 'why', title: t('column.why'), sort: 'why', width: 110, cell: (row) => (row.releaseReason ? t(`reason.${row.releaseReason}`) : units.unknown) },
    ],
    [t],
  )
  return (
    <Section title={t('before.title')} actions={<PageLink to="/workloads" search={{ device: uuid }} size="sm">{t('before.more')}</PageLink>}>
      <DataList name="holders" label={t('before.title')} columns={columns} question={rowsOf(question, rows)} rowKey={(row) => row.id} order={order} withSearch={false} empty={<Empty title={t('empty.before')} />} height={420} />
    </Section>
  )
}
