import { Anchor, Card, SimpleGrid, Stack, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '../../Plumbing/ask'
import { CardDaysDocument, type CardDayFilter, type CardDaysQuery, type CardDaySort } from '../../Plumbing/asked'
import { everyRow, largestPage } from '../../Plumbing/csv'
import type { Column } from '../../Plumbing/list/columns'
import { DataList } from '../../Plumbing/list/DataList'
import { ExportButton } from '../../Plumbing/list/ExportButton'
import { useOrder } from '../../Plumbing/list/order'
import { Meter } from '../../Plumbing/Meter'
import { useList } from '../../Plumbing/question'
import { Answered, Empty } from '../../Plumbing/states'
import * as units from '../../Plumbing/units'
import { useUrl } from '../../Plumbing/url'
import { useChoice } from './choice'
import { mostAddedUp, useIdle } from './idle'

type Row = NonNullable<CardDaysQuery['cardDays']['items'][number]>

/** The time of the cards that nobody held. */
export function IdleCards() {
  const { t } = useTranslation('observing')
  const [{ period, node }] = useChoice()
  const [search] = useUrl('q')
  const filter: CardDayFilter = { from: period.from, to: period.until, node }
  const order = useOrder<CardDaySort>('IDLE_HOURS', true)
  const asked = { filter: { ...filter, search }, sort: order.sort, descending: order.descending }
  const question = useList(CardDaysDocument, asked, (answer) => answer.cardDays, { isDear: true, every: 60_000 })
  const columns = useMemo<Column<Row>[]>(
    () => [
      { key: 'device', title: t('usage.device'), sort: 'DEVICE', width: 330, cell: (row) => <Anchor component={Link} to="/devices/$uuid" params={{ uuid: row.deviceUuid } as never} size="sm" style={{ whiteSpace: 'nowrap' }}>{row.deviceUuid}</Anchor> },
      { key: 'node', title: t('usage.node'), sort: 'NODE', cell: (row) => <Anchor component={Link} to="/nodes/$node" params={{ node: row.node } as never} size="sm">{row.node}</Anchor> },
      { key: 'day', title: t('usage.day'), sort: 'DAY', width: 110, cell: (row) => row.day },
      { key: 'idle', title: t('usage.idle'), sort: 'IDLE_HOURS', width: 200, cell: (row) => <Meter label={t('usage.idle')} part={row.idleHours} whole={row.hours} colour="gray.6" text={`${units.amount(row.idleHours)} / ${units.hours(row.hours)}`} /> },
      { key: 'over', title: t('usage.over'), sort: 'OVERSUBSCRIBED_HOURS', align: 'right', cell: (row) => units.hours(row.oversubscribedHours) },
    ],
    [t],
  )
  return (
    <Stack>
      <Totals filter={filter} />
      <DataList
        name="idle"
        label={t('usage.idleCards')}
        columns={columns}
        question={question}
        rowKey={(row) => `${row.deviceUuid}|${row.node}|${row.day}`}
        order={order}
        height={560}
        filters={
          <ExportButton
            file={`hami-idle-cards-${period.from}-to-${period.to}.csv`}
            header={['day_utc', 'node', 'device_uuid', 'hours', 'idle_hours', 'oversubscribed_hours']}
            rows={async () => (await everyRow(async (after) => (await ask(CardDaysDocument, { ...asked, first: largestPage, after })).cardDays)).map((row) => [row.day, row.node, row.deviceUuid, row.hours, row.idleHours, row.oversubscribedHours])}
          />
        }
        empty={<Empty title={t('usage.noCards')} hint={t('usage.noCardsHint')} />}
      />
    </Stack>
  )
}

function Totals({ filter }: { filter: CardDayFilter }) {
  const { t } = useTranslation('observing')
  const question = useIdle(filter)
  return (
    <Answered question={question} height={96}>
      {(sum) => (
        <SimpleGrid cols={{ base: 1, xs: 3 }}>
          <Total id="hours" label={t('usage.cardHours')} value={sum?.hours} text={units.amount(sum?.hours)} />
          <Total id="idle" label={t('usage.idle')} value={sum?.idleHours} text={units.amount(sum?.idleHours)} />
          <Total id="idle-percent" label={t('usage.idlePart')} value={units.share(sum?.idleHours, sum?.hours)} text={units.percent(units.share(sum?.idleHours, sum?.hours), 1)} />
          {sum === null && <Text size="sm" c="dimmed" style={{ gridColumn: '1 / -1' }}>{t('usage.tooMany', { most: units.count(mostAddedUp) })}</Text>}
        </SimpleGrid>
      )}
    </Answered>
  )
}

function Total({ id, label, value, text }: { id: string; label: string; value: number | null | undefined; text: string }) {
  return (
    <Card withBorder padding="sm" radius="md">
      <Text size="sm" c="dimmed">{label}</Text>
      <Text fz={24} fw={600} style={{ fontVariantNumeric: 'tabular-nums' }} data-testid={`usage-card-${id}`} data-value={value ?? ''}>{text}</Text>
    </Card>
  )
}
