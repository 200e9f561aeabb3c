import { Anchor, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '../../Plumbing/ask'
import { UsageRowsDocument, type UsageSort } from '../../Plumbing/asked'
import { everyRow, largestPage } from '../../Plumbing/csv'
import type { Column } from '../../Plumbing/list/columns'
import { DataList } from '../../Plumbing/list/DataList'
import { ExportButton } from '../../Plumbing/list/ExportButton'
import { useOrder } from '../../Plumbing/list/order'
import { useList } from '../../Plumbing/question'
import { Empty } from '../../Plumbing/states'
import * as units from '../../Plumbing/units'
import { useUrl } from '../../Plumbing/url'
import { useChoice, type Choice, type Dimension } from './choice'
import { measures, type Row } from './measure'
import { header, line } from './table'

/** The usage ledger, told apart as somebody chose. */
export function UsageList() {
  const { t } = useTranslation('observing')
  const [choice] = useChoice()
  const { by, wanted, period } = choice
  const [search] = useUrl('q')
  const filter = { ...choice.filter, search }
  const order = useOrder<UsageSort>(measures[choice.measure].sort, true)
  const asked = { by: wanted, filter, sort: order.sort, descending: order.descending }
  const question = useList(UsageRowsDocument, asked, (answer) => answer.usage, { isDear: true, every: 60_000 })
  const columns = useColumns(choice)
  return (
    <DataList
      name="usage"
      label={t('usage.title')}
      columns={columns}
      question={question}
      rowKey={(row) => [row.day, row.namespace, row.ownerKind, row.ownerName, row.node, row.deviceUuid].join('|')}
      order={order}
      height={520}
      filters={
        <ExportButton
          file={`hami-usage-by-${by.join('-')}-${period.from}-to-${period.to}.csv`}
          header={header(by)}
          rows={async () => (await everyRow(async (after) => (await ask(UsageRowsDocument, { ...asked, first: largestPage, after })).usage)).map((row) => line(row, by))}
        />
      }
      empty={<Empty title={t('usage.empty')} hint={t('usage.emptyHint')} />}
    />
  )
}

function useColumns({ by }: Choice): Column<Row>[] {
  const { t } = useTranslation('observing')
  return useMemo(() => {
    const cells: Record<Dimension, Column<Row>> = {
      day: { key: 'day', title: t('usage.day'), sort: 'DAY', width: 110, cell: (row) => row.day ?? units.unknown },
      namespace: { key: 'namespace', title: t('usage.namespace'), sort: 'NAMESPACE', cell: (row) => (row.namespace == null ? units.unknown : <Anchor component={Link} to="/namespaces" search={{ namespace: row.namespace } as never} size="sm" data-testid="usage-namespace" data-value={row.namespace}>{row.namespace}</Anchor>) },
      owner: { key: 'owner', title: t('usage.owner'), sort: 'OWNER', width: 180, cell: (row) => (row.ownerName ? <>{row.ownerName} <Text span size="xs" c="dimmed">{row.ownerKind}</Text></> : <Text span size="sm" c="dimmed">{t('usage.noOwner')}</Text>) },
      node: { key: 'node', title: t('usage.node'), sort: 'NODE', cell: (row) => (row.node == null ? units.unknown : <Anchor component={Link} to="/nodes/$node" params={{ node: row.node } as never} size="sm">{row.node}</Anchor>) },
      device: { key: 'device', title: t('usage.device'), sort: 'DEVICE', width: 330, cell: (row) => (row.deviceUuid == null ? units.unknown : <Anchor component={Link} to="/devices/$uuid" params={{ uuid: row.deviceUuid } as never} size="sm" style={{ whiteSpace: 'nowrap' }} data-testid="usage-device" data-value={row.deviceUuid}>{row.deviceUuid}</Anchor>) },
    }
    return [
      ...by.map((dimension) => cells[dimension]),
      ...(['gpu', 'memory', 'cores'] as const).map((name): Column<Row> => ({
        key: name, title: t(`usage.${name}`), sort: measures[name].sort, align: 'right',
        cell: (row) => <span data-testid={`usage-${name}`} data-value={row[measures[name].field]}>{units.amount(row[measures[name].field] / measures[name].unit)}</span>,
      })),
    ]
  }, [by.join(), t])
}
